/** An advertiser with its campaigns. */
export interface Advertiser {
  id: string;
  name: string;
  currency: string;
}

/** A real API would read them from its database, by the access token's client id. */
export const ADVERTISERS: readonly Advertiser[] = [
  { id: '1001', name: 'Alpine Shoes', currency: 'EUR' },
  { id: '1002', name: 'Bright Kitchens', currency: 'USD' },
];

/** A campaign's figures so far. */
export interface Figures {
  id: number;
  advertiser: string;
  impressions: number;
  clicks: number;
}

/** A real API would read these from its database too. */
export function figuresOf(campaign: number): Figures {
  const advertiser = ADVERTISERS[campaign % ADVERTISERS.length]?.id ?? '';
  return { id: campaign, advertiser, impressions: 1000 + campaign, clicks: 10 + (campaign % 7) };
}
