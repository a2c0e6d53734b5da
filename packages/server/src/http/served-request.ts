import type { IncomingMessage as NodeRequest } from 'node:http';

// An `import` would read every export of node:http (http/server.ts).
const IncomingMessage: typeof NodeRequest = process.getBuiltinModule('node:http').IncomingMessage;

/** Bytes beyond the limit that the server reads and discards, so that the client can read the answer. */
const DISCARDED_BYTES_MAX = 1_048_576;

type OnBody = (body: Buffer | 'too large') => void;

/** A body that is being read. */
interface Reading {
  bytesMax: number;
  onBody: OnBody;
  chunks: Buffer[];
  bytes: number;
  /** Whether `onBody` was called before the end, because the client sent far too much. */
  cut: boolean;
}

/**
 * A request whose body can be read without a stream. Node hands each part of a body to `push`, and null at
 * its end. The stream would turn them into events, which costs a twentieth of the CPU time of a token
 * (docs/decisions/098).
 */
export class ServedRequest extends IncomingMessage {
  #reading: Reading | null = null;

  /**
   * Calls `onBody` with the whole body, or with `too large` if it is longer than `bytesMax`. Does not call it
   * if the client closes the connection.
   */
  readBody(bytesMax: number, onBody: OnBody): void {
    const reading = { bytesMax, onBody, chunks: [], bytes: 0, cut: false };
    // Only the faults of a sandbox wait before they read: until then, the stream keeps what arrives.
    const early = this.readableLength > 0 ? (super.read() as Buffer | null) : null;
    this.#reading = reading;
    if (early !== null) add(reading, early);
    if (this.complete) end(reading);
  }

  /** Returns false if Node shall read no more from the connection. */
  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (this.#reading === null) return super.push(chunk, encoding);
    if (chunk === null) return end(this.#reading);
    return add(this.#reading, chunk);
  }

  /** After the answer, Node reads what is left of the stream. Here nothing is. */
  override read(size?: number): unknown {
    return this.#reading === null ? super.read(size) : null;
  }

  override resume(): this {
    return this.#reading === null ? super.resume() : this;
  }

  /** Node drops a request after the answer if its body has ended. */
  // @ts-expect-error TS2611: the types call it a property; in Node it is an accessor.
  override get readableEnded(): boolean {
    if (this.#reading !== null) return this.complete;
    return Reflect.get(IncomingMessage.prototype, 'readableEnded', this);
  }
}

function end({ bytesMax, onBody, chunks, bytes, cut }: Reading): true {
  if (cut) return true;
  if (bytes > bytesMax) onBody('too large');
  else onBody(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
  return true;
}

function add(reading: Reading, chunk: Buffer): boolean {
  reading.bytes += chunk.length;
  if (reading.bytes <= reading.bytesMax) reading.chunks.push(chunk);
  else reading.chunks.length = 0;
  if (reading.bytes <= reading.bytesMax + DISCARDED_BYTES_MAX) return true;
  if (!reading.cut) {
    reading.cut = true;
    reading.onBody('too large');
  }
  return false;
}
