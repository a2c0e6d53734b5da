import type { Channel } from 'node:diagnostics_channel';
import { runtime } from './builtin.ts';
import { property } from './redaction.ts';

interface EventBase {
  /** `token`: a request to the token endpoint. `call`: an API call made with the token. */
  readonly operation: 'token' | 'call';
  /** Numbers the operations of this process: the events of one operation, its retries included, carry the same id. */
  readonly id: number;
  readonly clientId: string | undefined;
  /** True when no caller waits for it: a token is renewed while the old one still serves. */
  readonly background?: boolean;
}

/** A request is about to be sent. `url` has no query and no fragment. */
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

/** The operation is tried again after `delayMs`; `reason` is an error code or an HTTP status. */
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
  /** Where it came from: the token endpoint, or the shared store into which another process had put it. */
  readonly source: 'server' | 'store';
  readonly expiresInMs: number;
  readonly durationMs: number;
}

/** Something failed for good: a token request, the transport of an API call, or the shared store. */
export interface FailureEvent extends Omit<EventBase, 'id' | 'operation'> {
  readonly type: 'failure';
  readonly operation: 'token' | 'call' | 'store';
  /** The `code` of the error, else its name. */
  readonly code: string;
  readonly durationMs: number;
  readonly requestId: string | undefined;
}

/** What a listener is told. No event holds a secret or a token. */
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
 * Tells the listener, and whoever subscribed to the channel `mintmark:client:<type>` of `node:diagnostics_channel`. A
 * listener that throws or rejects does no harm.
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
  // A listener that throws or rejects must not cost anybody a token, nor end the process.
  (async () => listener?.(event))().catch(() => {});
  channel?.publish(event);
}

/** A stable word for what was thrown: the `code` of our errors, else the error's name. */
export function codeOf(thrown: unknown): string {
  return (
    [property(thrown, 'code'), property(thrown, 'name')].find((word) => typeof word === 'string') ?? 'unknown'
  );
}
