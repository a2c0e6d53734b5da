/** An advertiser whose campaigns may be managed. */
export interface Advertiser {
  id: string;
  name: string;
  currency: string;
}

/** A real API would read them from its database, by the client id that the access token names. */
export const ADVERTISERS: readonly Advertiser[] = [
  { id: '1001', name: 'Alpine Shoes', currency: 'EUR' },
  { id: '1002', name: 'Bright Kitchens', currency: 'USD' },
];

/** What a campaign did so far. */
export interface Figures {
  id: number;
  advertiser: string;
  impressions: number;
  clicks: number;
}

/** A real API would read them from its database, too. */
export function figuresOf(campaign: number): Figures {
  const advertiser = ADVERTISERS[campaign % ADVERTISERS.length]?.id ?? '';
  return { id: campaign, advertiser, impressions: 1000 + campaign, clicks: 10 + (campaign % 7) };
}
