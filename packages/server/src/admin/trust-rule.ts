import { factsDigest, namedKeySourceOf } from '../domain/assertion-credential.ts';
import { AppError } from '../domain/app-error.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import { KEY_ID_LENGTH } from '../domain/secret.ts';
import { trustRuleFaults } from '../domain/trust-rule-faults.ts';
import { storedRule } from '../domain/trust-rule-json.ts';
import type { TrustRule } from '../domain/trust-rule.ts';
import { randomBase62 } from '../lib/random.ts';
import type { KeySourceCheck } from '../runtime/trusted-keys/check.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { audited, type Change } from './audited.ts';
import { checkFor } from './key-source-check.ts';
import {
  beforeCreation,
  creation,
  insert,
  notedOwner,
  recordedAs,
  type NewCredential,
} from './credential.ts';

export interface NewTrustRule {
  rule: TrustRule;
  /** Creates a rule that matches more than is safe. */
  force: boolean;
}

/**
 * Gives the API user a rule for tokens from another issuer. Throws an AppError if the rule matches nothing or
 * too much, if its keys cannot be fetched, or if the API user has an equal one.
 */
export async function createTrustRule(
  change: Change,
  input: NewCredential,
  trust: NewTrustRule,
  check: KeySourceCheck,
): Promise<Credential> {
  const { actor, nowMs } = change;
  const bound = { kind: 'trust', issuer: trust.rule.issuer } as const;
  const confinedCheck = checkFor(actor, check);
  const work = async () => await factsOf(trust, confinedCheck, nowMs);
  const checked = await beforeCreation(change, input, bound, work);
  return await audited(change, creation(input), async (transaction, identify) => {
    const owner = await notedOwner(transaction, actor, input.owner, identify);
    const facts = checked();
    const digest = factsDigest(facts);
    await refuseEqualRule(transaction, owner, digest, nowMs);
    const material = { id: randomBase62(KEY_ID_LENGTH), kind: 'trust', digest, facts } as const;
    const credential = await insert(transaction, { ...input, owner }, change, material);
    const recorded = recordedAs(credential);
    return { result: credential, ...recorded, after: { ...recorded.after, forced: trust.force } };
  });
}

/** The rule as it is stored, once its faults and its keys are checked. */
async function factsOf(
  { rule, force }: NewTrustRule,
  check: KeySourceCheck,
  nowMs: number,
): Promise<TrustRule> {
  const faults = trustRuleFaults(rule, { force });
  if (faults.length > 0) {
    const below = faults.map((fault) => ({ ...fault, member: `trust_rule/${fault.member}` }));
    throw new AppError('invalid', faults.map(({ problem }) => problem).join(' '), { faults: below });
  }
  const facts = storedRule(rule);
  const named = namedKeySourceOf(facts);
  if (named !== null) await check(named.source, 'trust_rule/keys', nowMs);
  return facts;
}

async function refuseEqualRule(
  transaction: StoreTransaction,
  owner: string,
  digest: string,
  nowMs: number,
): Promise<void> {
  const all = await transaction.credentials.listOf(owner);
  const equal = all.find(
    (each) => each.kind === 'trust' && each.digest === digest && credentialState(each, nowMs) === 'live',
  );
  if (equal === undefined) return;
  const problem = `The API user has an equal trust rule already: it is credential ${equal.id}.`;
  throw new AppError('conflict', problem, { faults: [{ member: 'trust_rule', problem }] });
}
