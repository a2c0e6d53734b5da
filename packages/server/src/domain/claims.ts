/** Static claims of access tokens: names and JSON values. Operators set them. */
export type Claims = Readonly<Record<string, unknown>>;

export const NO_CLAIMS: Claims = {};
