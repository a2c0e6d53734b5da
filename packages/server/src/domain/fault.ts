/** What is wrong with one member of what was asked for. */
export interface Fault {
  /** Its name as in JSON, below others after a slash: `allowed_networks`, `secret/expires_at`. */
  member: string;
  problem: string;
}
