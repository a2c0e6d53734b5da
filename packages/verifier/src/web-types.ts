// The runtime's own types (of the DOM, Node or a worker), or else the members used here: programs need
// neither `lib: dom` nor `@types/node` to compile against this package.

export type WebRequest = typeof globalThis extends { Request: { prototype: infer Own } }
  ? Own
  : RequestMembers;
export type WebResponse = typeof globalThis extends { Response: { prototype: infer Own } }
  ? Own
  : ResponseMembers;
export type WebSignal = typeof globalThis extends { AbortSignal: { prototype: infer Own } }
  ? Own
  : { readonly aborted: boolean };

interface RequestMembers {
  readonly url: string;
  readonly method: string;
  readonly headers: { get(name: string): string | null };
}

interface ResponseMembers {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
}
