import type { Channel } from 'node:diagnostics_channel';
import { runtime } from './builtin.ts';
import { property } from './redaction.ts';

interface EventBase {
  /** `token`: a request to the token endpoint. `call`: an API call made with the token. */
  readonly operation: 'token' | 'call';
  /** Number of the operation in this process; its retries have the same number. */
  readonly id: number;
  readonly clientId: string | undefined;
  /** True if no caller waits: a token is renewed while the old one is still valid. */
  readonly background?: boolean;
}

/** Sent before each request. `url` has no query and no fragment. */
export interface RequestEvent extends EventBase {
  readonly type: 'request';
  readonly attempt: number;
  readonly method: string;
  readonly url: string;
}

/** A response arrived: for `token` with its body, for `call` with its headers. */
export interface ResponseEvent extends EventBase {
  readonly type: 'response';
  readonly attempt: number;
  readonly status: number;
  readonly requestId: string | undefined;
  readonly durationMs: number;
}

/** The operation is retried after `delayMs`; `reason` is an error code or HTTP status. */
export interface RetryEvent extends EventBase {
  readonly type: 'retry';
  /** The attempt that failed. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly reason: string;
}

/** A token manager has a new token. */
export interface RenewalEvent extends Omit<EventBase, 'id'> {
  readonly type: 'renewal';
  /** `store`: the shared store had it, because another process fetched it. */
  readonly source: 'server' | 'store';
  readonly expiresInMs: number;
  readonly durationMs: number;
}

/** A token request, an API call's transport or the shared store failed, after all retries. */
export interface FailureEvent extends Omit<EventBase, 'id' | 'operation'> {
  readonly type: 'failure';
  readonly operation: 'token' | 'call' | 'store';
  /** The error's `code`, or else its name. */
  readonly code: string;
  readonly durationMs: number;
  readonly requestId: string | undefined;
}

/** Events for a listener. No event holds a secret or a token. */
export type ClientEvent = RequestEvent | ResponseEvent | RetryEvent | RenewalEvent | FailureEvent;

export type EventListener = (event: ClientEvent) => void;

const channels: Record<string, Channel | undefined> = {};
let operations = 0;

export function nextOperation(): number {
  return ++operations;
}

/** One kind of event without its `type`, which `emit` adds. */
type Description<Type> = Omit<Extract<ClientEvent, { type: Type }>, 'type'>;

/**
 * Calls the listener and publishes to the channel `mintmark:client:<type>` of `node:diagnostics_channel`.
 * Errors of listeners are ignored.
 */
export function emit<Type extends ClientEvent['type']>(
  listener: EventListener | undefined,
  type: Type,
  description: Description<Type>,
): void {
  const channel = (channels[type] ??= runtime
    ?.getBuiltinModule?.('node:diagnostics_channel')
    ?.channel(`mintmark:client:${type}`));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the two halves of the type, put together again
  const event = { type, ...description } as object as ClientEvent;
  // A listener that throws or rejects must neither fail a token request nor end the process.
  (async () => listener?.(event))().catch(() => {});
  channel?.publish(event);
}

/** A stable name of a thrown value: the `code` of our errors, or else the error's name. */
export function codeOf(thrown: unknown): string {
  return (
    [property(thrown, 'code'), property(thrown, 'name')].find((word) => typeof word === 'string') ?? 'unknown'
  );
}
