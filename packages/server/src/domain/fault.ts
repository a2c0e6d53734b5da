/** A fault in one member of an input. */
export interface Fault {
  /** Its path in the JSON, with a slash between names: `allowed_networks`, `secret/expires_at`. */
  member: string;
  problem: string;
}
