import { AppError } from '../../domain/app-error.ts';
import { invitationDigest, type MemberInvitation } from '../../domain/invitation.ts';
import { emailKey, newOperator, type Operator } from '../../domain/operator.ts';
import type { Organisation } from '../../domain/organisation.ts';
import type { SessionLimits } from '../../domain/session.ts';
import type { Store, StoreTransaction } from '../../storage/store.ts';
import { audited, type Attempt, type Change } from '../audited.ts';
import { argon2id } from '../../lib/argon2id.ts';
import { memberFacts } from '../member.ts';
import { refuseWeakPassword } from './password.ts';
import type { Caller, InspectedInvitation, SignedIn, SignInDenial } from './sign-in-outcome.ts';
import { beginning, beginSession, noSuchInvitation, type Started } from './start-session.ts';

export interface AcceptanceInput {
  token: string;
  /** Left out by a person who is signed in. */
  password?: string;
  /** Of the second factor. */
  code?: string;
  /** Only the first admin chooses it. */
  email?: string;
}

/** The signed-in person became a member, in the same session. */
export interface Joined {
  joined: true;
}

interface Joining {
  invitation: MemberInvitation;
  organisation: Organisation;
}

/** The open invitation of a member with this token; null without one. */
export async function findMemberInvitation(
  store: Store,
  token: string,
  nowMs: number,
): Promise<Joining | null> {
  const digest = invitationDigest(token);
  const invitation = digest === null ? undefined : await store.memberInvitations.find(digest);
  if (invitation === undefined || invitation.expiresAt <= nowMs) return null;
  if (!(await mayInvite(store, invitation))) return null;
  const organisation = await store.organisations.find(invitation.organisationId);
  return organisation?.enabled === true ? { invitation, organisation } : null;
}

/** The same whether the address has an account or not: the inviter has the link, too. */
export function inspectedMembership(
  { invitation, organisation }: Joining,
  current: Operator | null,
): InspectedInvitation {
  const { email, role } = invitation;
  const needs = isInvited(current, invitation) ? 'nothing' : 'password';
  return { email, role, organisation: organisation.name, needs };
}

function isInvited(current: Operator | null, { email }: MemberInvitation): current is Operator {
  return current !== null && emailKey(current.email) === emailKey(email);
}

interface JoinServices {
  store: Store;
  limits: SessionLimits;
  now(): number;
  signIn(
    input: { email: string; password: string; code?: string },
    from: Caller,
  ): Promise<SignedIn | SignInDenial>;
  signedIn(started: Started): SignedIn;
}

/**
 * Makes the invited person a member. A person with an account signs in, or is signed in already; any other
 * chooses a password. An invitation never sets the password of an account that exists: its inviter has the
 * link.
 */
export async function joinOrganisation(
  { store, limits, now, signIn, signedIn }: JoinServices,
  invitation: MemberInvitation,
  { password, code }: AcceptanceInput,
  { from, current }: { from: Caller; current: Operator | null },
): Promise<SignedIn | Joined | SignInDenial> {
  const { address } = from;
  if (password === undefined && isInvited(current, invitation)) {
    await joinWithAccount({ store, nowMs: now() }, invitation, current, address);
    return { joined: true };
  }
  const chosen = requiredPassword(password);
  const { email } = invitation;
  // First, also for an account that exists: the refusal would tell the holder of the link that none does.
  await refuseWeakPassword(chosen, email);
  if ((await store.operators.findByEmail(email)) === undefined) {
    const passwordHash = await argon2id(chosen);
    const acceptance = { invitation, passwordHash, from };
    return signedIn(await joinWithNewAccount({ store, nowMs: now() }, limits, acceptance));
  }
  const outcome = await signIn({ email, password: chosen, ...(code !== undefined && { code }) }, from);
  if ('denied' in outcome) return outcome;
  await joinWithAccount({ store, nowMs: now() }, invitation, outcome.operator, address);
  return outcome;
}

export function requiredPassword(password: string | undefined): string {
  if (password !== undefined) return password;
  const problem = 'Give a password.';
  throw new AppError('invalid', problem, { faults: [{ member: 'password', problem }] });
}

async function joinWithAccount(
  by: Pick<Change, 'store' | 'nowMs'>,
  invitation: MemberInvitation,
  { id }: Operator,
  address: string,
): Promise<void> {
  await audited(joiningChange(by, invitation, id, address), attemptOf(id), async (transaction) => {
    await transaction.operators.lock();
    if ((await transaction.operators.find(id)) === undefined) throw noSuchInvitation();
    await useInvitation(transaction, invitation, id, by.nowMs);
    return { result: undefined, after: memberFacts(invitation) };
  });
}

async function joinWithNewAccount(
  by: Pick<Change, 'store' | 'nowMs'>,
  limits: SessionLimits,
  { invitation, passwordHash, from }: { invitation: MemberInvitation; passwordHash: string; from: Caller },
): Promise<Started> {
  const { nowMs } = by;
  const operator = { ...newOperator(invitation.email, 'none', nowMs), passwordHash };
  const { id } = operator;
  const change = joiningChange(by, invitation, id, from.address);
  return await audited(change, attemptOf(id), async (transaction) => {
    await transaction.operators.lock();
    if ((await transaction.operators.findByEmail(invitation.email)) !== undefined) throw noSuchInvitation();
    await transaction.operators.insert(operator);
    await useInvitation(transaction, invitation, id, nowMs);
    const { started, ended } = await beginSession(transaction, operator, from, limits, nowMs);
    const signIn = { action: 'session.sign_in', subject: { kind: 'session', id: null } } as const;
    // No part of what the organisation's admins read: the session is that of the person everywhere.
    const also = [{ ...signIn, ...beginning(started) }, ...ended];
    return {
      result: started,
      after: memberFacts(invitation),
      also: also.map((each) => ({ ...each, organisationId: null })),
    };
  });
}

function attemptOf(operatorId: string): Attempt {
  return { action: 'member.accept', subject: { kind: 'member', id: operatorId } };
}

/** The change of a person who becomes a member. */
function joiningChange(
  { store, nowMs }: Pick<Change, 'store' | 'nowMs'>,
  { email, role, organisationId }: MemberInvitation,
  id: string,
  address: string,
): Change {
  return { store, actor: { kind: 'member', id, name: email, address, role, organisationId }, nowMs };
}

/** Whether its author could make the invitation now: an admin may keep a link to return after a removal. */
async function mayInvite(
  { members, operators }: Pick<Store, 'members' | 'operators'>,
  { organisationId, createdBy }: MemberInvitation,
): Promise<boolean> {
  if (createdBy === null) return true;
  if ((await members.find(organisationId, createdBy))?.role === 'admin') return true;
  const role = (await operators.find(createdBy))?.role;
  return role === 'operator' || role === 'admin';
}

async function useInvitation(
  transaction: StoreTransaction,
  invitation: MemberInvitation,
  operatorId: string,
  nowMs: number,
): Promise<void> {
  const { memberInvitations, members } = transaction;
  const { digest, organisationId, role } = invitation;
  if (!(await memberInvitations.consume(digest))) throw noSuchInvitation();
  if (!(await mayInvite(transaction, invitation))) throw noSuchInvitation();
  if ((await members.find(organisationId, operatorId)) !== undefined) return;
  await members.put({ organisationId, operatorId, role, createdAt: nowMs });
}
