import assert from 'node:assert/strict';
import { AccessTokenError, type AccessTokenErrorReason } from '../../src/index.ts';

/** Asserts that a check is refused, and gives back why. */
export async function refused(
  check: Promise<unknown>,
  reason?: AccessTokenErrorReason,
  label = '',
): Promise<AccessTokenError> {
  try {
    await check;
  } catch (error) {
    assert.ok(error instanceof AccessTokenError, `${label}: not an AccessTokenError: ${String(error)}`);
    if (reason !== undefined) assert.equal(error.reason, reason, `${label}: ${error.message}`);
    return error;
  }
  return assert.fail(`${label} was accepted`);
}
