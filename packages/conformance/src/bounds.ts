/** The time in which a server must answer a request. */
export const ANSWER_TIMEOUT_MS = 10_000;

export const ANSWER_BYTES_MAX = 1_048_576;

/** The longest `Retry-After` that a check waits for. */
export const RETRY_AFTER_SECONDS_MAX = 60;

/** The time that one run spends waiting because of rate limits. */
export const RATE_LIMIT_WAIT_SECONDS_MAX = 180;

/** The part of a body that a report shows. */
export const REPORTED_BODY_CHARACTERS_MAX = 600;

/** The difference between two clocks, or between a claim and `expires_in`, that a check accepts. */
export const CLOCK_DIFFERENCE_SECONDS_MAX = 60;

/** RFC 7518 §3.3. */
export const RSA_BITS_MIN = 2048;

/** The life of an assertion that a check signs. */
export const ASSERTION_LIFE_SECONDS = 60;
