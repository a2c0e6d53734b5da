/** RFC 9457, as the admin API answers it. */
export interface ProblemBody {
  title: string;
  status: number;
  detail?: string;
  code: string;
  trace_id?: string;
  errors?: { pointer: string; detail: string }[];
  in_use?: InUse;
}

/** Who uses what would stop: with the code `unsafe`. */
export interface InUse {
  credentials: {
    id: string;
    kind: string;
    name: string;
    last_used_at: string;
    last_used_address: string | null;
    use_count: number;
  }[];
  tokens_last_hour: number;
  tokens_last_day: number;
}

/** A request that was not answered with what it asked for. `message` is a sentence for people. */
export class Problem extends Error {
  override readonly name = 'Problem';
  /** 0: there was no answer at all. */
  readonly status: number;
  readonly code: string;
  readonly traceId: string | null;
  /** What is wrong with which member of the body, by JSON pointer. */
  readonly errors: readonly { pointer: string; detail: string }[];
  readonly retryAfterSeconds: number | null;
  readonly inUse: InUse | null;

  constructor(body: ProblemBody, retryAfterSeconds: number | null = null, cause?: unknown) {
    super(body.detail ?? body.title, { cause });
    this.status = body.status;
    this.code = body.code;
    this.traceId = body.trace_id ?? null;
    this.errors = body.errors ?? [];
    this.retryAfterSeconds = retryAfterSeconds;
    this.inUse = body.in_use ?? null;
  }

  /** What is wrong with one member of the body, if anything is. */
  of(member: string): string | null {
    const pointer = `/${member}`;
    const found = this.errors.find(
      (error) => error.pointer === pointer || error.pointer.startsWith(`${pointer}/`),
    );
    return found?.detail ?? null;
  }
}

/** True where the same request may well succeed later: no answer, or one that says that something is away. */
export function isPassing(error: unknown): boolean {
  return error instanceof Problem && (error.status === 0 || error.status >= 502 || error.status === 429);
}

export function offline(cause: unknown): Problem {
  const detail = 'The server did not answer. Check the connection; nothing that is on this page is lost.';
  return new Problem({ title: 'No answer', status: 0, code: 'offline', detail }, null, cause);
}

export async function problemOf(response: Response): Promise<Problem> {
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const seconds = Number.isFinite(retryAfter) ? retryAfter : null;
  const text = await response.text();
  try {
    return new Problem({ ...(JSON.parse(text) as ProblemBody), status: response.status }, seconds);
  } catch {
    // Not of ours: a proxy between here and the server.
    const title = `The server answered with status ${response.status} and no reason. Try again in a moment.`;
    return new Problem({ title, status: response.status, code: 'unknown' }, seconds);
  }
}

/** For whatever was thrown, a sentence to show. A bug is said to be one. */
export function messageOf(error: unknown): string {
  if (error instanceof Problem) {
    const trace = error.status >= 500 && error.traceId !== null ? ` (trace ${error.traceId})` : '';
    return error.message + trace;
  }
  return `The console itself failed: ${error instanceof Error ? error.message : String(error)}. Reload the page.`;
}
