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
