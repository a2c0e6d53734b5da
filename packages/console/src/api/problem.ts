import type { InUseJson } from '../../../server/src/http/admin/problem.ts';

/** A problem of RFC 9457, with the admin API's members. */
export interface ProblemBody {
  title: string;
  status: number;
  detail?: string;
  code: string;
  trace_id?: string;
  errors?: { pointer: string; detail: string }[];
  /** With the code `unsafe`: the callers that would fail. */
  in_use?: InUseJson;
}

/** A failed request. `message` is a sentence for people. */
export class Problem extends Error {
  override readonly name = 'Problem';
  /** 0 without a response. */
  readonly status: number;
  readonly code: string;
  readonly traceId: string | null;
  /** Faults in the body's members, by JSON pointer. */
  readonly errors: readonly { pointer: string; detail: string }[];
  readonly retryAfterSeconds: number | null;
  readonly inUse: InUseJson | null;

  constructor(body: ProblemBody, retryAfterSeconds: number | null = null, cause?: unknown) {
    super(body.detail ?? body.title, { cause });
    this.status = body.status;
    this.code = body.code;
    this.traceId = body.trace_id ?? null;
    this.errors = body.errors ?? [];
    this.retryAfterSeconds = retryAfterSeconds;
    this.inUse = body.in_use ?? null;
  }

  /** The error detail for one member of the request body; null if it has no error. */
  of(member: string): string | null {
    const pointer = `/${member}`;
    const fault = this.errors.find(
      (error) => error.pointer === pointer || error.pointer.startsWith(`${pointer}/`),
    );
    return fault?.detail ?? null;
  }
}

/** Whether a retry may succeed: no response, or an unavailable service. */
export function isPassing(error: unknown): boolean {
  return error instanceof Problem && (error.status === 0 || error.status >= 502 || error.status === 429);
}

export function offline(cause: unknown): Problem {
  const detail = 'The server did not answer. Check the connection. This page keeps everything you typed.';
  return new Problem({ title: 'No answer', status: 0, code: 'offline', detail }, null, cause);
}

export async function problemOf(response: Response): Promise<Problem> {
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const seconds = Number.isFinite(retryAfter) ? retryAfter : null;
  const text = await response.text();
  try {
    return new Problem({ ...(JSON.parse(text) as ProblemBody), status: response.status }, seconds);
  } catch {
    // The response of a proxy in between.
    const title = `The server answered with status ${response.status} and no reason. Try again in a moment.`;
    return new Problem({ title, status: response.status, code: 'unknown' }, seconds);
  }
}

/** A sentence to show for any error. Names a bug as one. */
export function messageOf(error: unknown): string {
  if (error instanceof Problem) {
    const trace = error.status >= 500 && error.traceId !== null ? ` (trace ${error.traceId})` : '';
    return error.message + trace;
  }
  return `The console failed: ${error instanceof Error ? error.message : String(error)}. Reload the page.`;
}
