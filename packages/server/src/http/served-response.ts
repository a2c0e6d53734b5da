import type { ServerResponse as NodeResponse } from 'node:http';
import type { ServedRequest } from './served-request.ts';

// An `import` would read every export of node:http (http/server.ts).
const ServerResponse: typeof NodeResponse = process.getBuiltinModule('node:http').ServerResponse;

/** The last step of `writeHead`. It is internal to Node, so the types lack it. */
type StoreHeader = (this: NodeResponse, firstLine: string, headers: readonly string[]) => void;

const { _storeHeader: storeHeader } = ServerResponse.prototype as unknown as { _storeHeader: StoreHeader };

/** The characters that Node refuses in a value: a line break would begin another header (RFC 9110 §5.5). */
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * A response whose head is written in one piece. Node would check and compare each line, for a twentieth of
 * the CPU time of a token (docs/decisions/098).
 */
export class ServedResponse extends ServerResponse<ServedRequest> {
  #lines = '';

  /**
   * Like `writeHead`, but Node sees only the length of the body, and adds Date and Connection. The names in
   * `headers` are our own, and none that Node gives a meaning to. Throws if a value has an invalid character.
   */
  writeLines(status: number, headers: readonly string[], bodyBytes: number): void {
    let lines = '';
    let values = '';
    for (let i = 0; i < headers.length; i += 2) {
      const value = headers[i + 1] as string;
      lines += (headers[i] as string) + ': ' + value + '\r\n';
      values += value;
    }
    if (NOT_IN_VALUE.test(values)) throw new TypeError('A header has a value with an invalid character.');
    this.#lines = lines;
    this.writeHead(status, ['Content-Length', String(bodyBytes)]);
  }

  /** Node calls it from `writeHead`. */
  _storeHeader(firstLine: string, headers: readonly string[]): void {
    const lines = this.#lines;
    this.#lines = '';
    storeHeader.call(this, firstLine + lines, headers);
  }
}
