import { AppError } from '../domain/app-error.ts';
import { accountOf, type Actor } from '../domain/actor.ts';
import type { AuditFacts } from '../domain/audit-entry.ts';
import { makeMemberInvitation, type MemberInvitation } from '../domain/invitation.ts';
import { emailProblem } from '../domain/operator.ts';
import type { Member, MemberRole, Organisation } from '../domain/organisation.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { audited, type Attempt, type Change } from './audited.ts';
import { credentialsMadeBy, type MadeCredential } from './member-credentials.ts';
import { removeUnusedAccount } from './operators/unused-account.ts';
import { existingOrganisation } from './organisation.ts';

/** An organisation, and what a person may do there. */
export interface Membership {
  organisation: Organisation;
  role: MemberRole;
}

/** The organisations that a person is a member of, without disabled ones, the oldest membership first. */
export async function membershipsOf(
  { members, organisations }: Pick<Store, 'members' | 'organisations'>,
  operatorId: string,
): Promise<Membership[]> {
  const memberships = await members.ofOperator(operatorId);
  const all = await organisations.listOf(memberships.map(({ organisationId }) => organisationId));
  const byId = new Map(all.map((organisation) => [organisation.id, organisation]));
  return memberships.flatMap(({ organisationId, role }) => {
    const organisation = byId.get(organisationId);
    return organisation?.enabled === true ? [{ organisation, role }] : [];
  });
}

export interface MemberList {
  members: Member[];
  /** Open ones and expired ones. */
  invitations: MemberInvitation[];
}

export async function listMembers(store: Store, organisationId: string, actor: Actor): Promise<MemberList> {
  const { id } = await existingOrganisation(store, organisationId, actor);
  const [members, invitations] = await Promise.all([
    store.members.listOf(id),
    store.memberInvitations.listOf(id),
  ]);
  return { members, invitations };
}

/** The most members and invitations of one organisation. */
const MEMBERS_MAX = 500;

export interface InvitedMember {
  invitation: MemberInvitation;
  /** Part of the link: shown only once, and stored nowhere. */
  token: string;
}

/**
 * Invites a person. An open invitation of the same address gets a new link. The result is the same whether
 * the address has an account or not. Throws an AppError if the person is a member already.
 */
export async function inviteMember(
  change: Change,
  organisationId: string,
  input: { email: string; role: MemberRole },
  lifeSeconds: number,
): Promise<InvitedMember> {
  return await audited(change, attemptAt('member.invite', organisationId), async (transaction, identify) => {
    const { id } = await existingOrganisation(transaction, organisationId, change.actor);
    identify({ organisationId: id });
    refuseBadEmail(input.email);
    await refuseMember(transaction, id, input.email);
    const before = await transaction.memberInvitations.findByEmail(id, input.email);
    if (before === undefined) await refuseTooMany(transaction, id);
    const createdBy = accountOf(change.actor);
    const wanted = { ...input, organisationId: id, id: before?.id ?? null, createdBy };
    const invited = makeMemberInvitation(wanted, lifeSeconds, change.nowMs);
    await transaction.memberInvitations.put(invited.invitation);
    return { result: invited, subjectId: invited.invitation.id, after: input };
  });
}

/** Makes a new link for an invitation. The link before it stops working. */
export async function inviteMemberAgain(
  change: Change,
  organisationId: string,
  invitationId: string,
  lifeSeconds: number,
): Promise<InvitedMember> {
  const attempt = attemptAt('member.invite', organisationId, invitationId);
  return await audited(change, attempt, async (transaction, identify) => {
    const { id } = await existingOrganisation(transaction, organisationId, change.actor);
    identify({ organisationId: id });
    const before = await transaction.memberInvitations.findById(id, invitationId);
    if (before === undefined) throw noSuchMember('invitation', invitationId);
    const renewed = { ...before, createdBy: accountOf(change.actor) };
    const invited = makeMemberInvitation(renewed, lifeSeconds, change.nowMs);
    await transaction.memberInvitations.put(invited.invitation);
    return { result: invited, after: { email: before.email, role: before.role } };
  });
}

/** Throws an AppError if an admin of the organisation would leave it without an admin. */
export async function changeMemberRole(
  change: Change,
  organisationId: string,
  operatorId: string,
  role: MemberRole,
): Promise<Member> {
  const attempt = attemptAt('member.update', organisationId, operatorId);
  return await audited(change, attempt, async (transaction, identify) => {
    const { id } = await existingOrganisation(transaction, organisationId, change.actor);
    identify({ organisationId: id });
    const before = await existingMember(transaction, id, operatorId);
    if (before.role === role) return { result: before, unchanged: true };
    await refuseLastAdmin(transaction, before, change.actor);
    const member = { ...before, role };
    await transaction.members.put(member);
    return { result: member, before: memberFacts(before), after: memberFacts(member) };
  });
}

/**
 * Removes a member and ends the sessions of the person, or withdraws an invitation. An account that is only
 * for this membership is removed, too. Returns the live credentials that the person made, and so knows.
 */
export async function removeMember(
  change: Change,
  organisationId: string,
  memberId: string,
): Promise<MadeCredential[]> {
  const attempt = attemptAt('member.remove', organisationId, memberId);
  return await audited(change, attempt, async (transaction, identify) => {
    await transaction.operators.lock();
    const { id } = await existingOrganisation(transaction, organisationId, change.actor);
    identify({ organisationId: id });
    const invitation = await transaction.memberInvitations.findById(id, memberId);
    if (invitation !== undefined) {
      await transaction.memberInvitations.consume(invitation.digest);
      return { result: [], before: { email: invitation.email, role: invitation.role, state: 'invited' } };
    }
    const member = await existingMember(transaction, id, memberId);
    await refuseLastAdmin(transaction, member, change.actor);
    await transaction.members.delete(id, memberId);
    const ended = await transaction.sessions.deleteOf(memberId);
    await removeUnusedAccount(transaction, memberId);
    const credentials = await credentialsMadeBy(transaction, id, memberId, change.nowMs);
    const ids = credentials.map(({ credential }) => credential.id);
    const facts = { sessions_ended: ended, credentials: ids };
    return { result: credentials, before: memberFacts(member), after: facts };
  });
}

export function memberFacts({ email, role }: Pick<Member, 'email' | 'role'>): AuditFacts {
  return { email, role };
}

function attemptAt(action: Attempt['action'], organisationId: string, id: string | null = null): Attempt {
  return { action, subject: { kind: 'member', id }, related: { kind: 'organisation', id: organisationId } };
}

async function existingMember(
  { members }: StoreTransaction,
  organisationId: string,
  operatorId: string,
): Promise<Member> {
  const member = await members.find(organisationId, operatorId);
  if (member === undefined) throw noSuchMember('member', operatorId);
  return member;
}

function noSuchMember(what: 'member' | 'invitation', id: string): AppError {
  return new AppError('not_found', `The organisation has no ${what} "${id}".`, {
    hint: ': mintmark member list <organisation> shows all.',
  });
}

async function refuseMember(transaction: StoreTransaction, organisationId: string, email: string) {
  const account = await transaction.operators.findByEmail(email);
  const member = account && (await transaction.members.find(organisationId, account.id));
  if (member === undefined) return;
  const problem = `${member.email} is a member already, in the role ${member.role}.`;
  throw new AppError('conflict', problem, { faults: [{ member: 'email', problem }] });
}

async function refuseTooMany(transaction: StoreTransaction, organisationId: string): Promise<void> {
  const members = await transaction.members.listOf(organisationId);
  const invitations = await transaction.memberInvitations.listOf(organisationId);
  if (members.length + invitations.length < MEMBERS_MAX) return;
  throw new AppError(
    'conflict',
    `The organisation has ${MEMBERS_MAX} members and invitations, the most there may be: remove some first.`,
  );
}

/** Operators may remove the last admin: they can invite another one. */
async function refuseLastAdmin({ members }: StoreTransaction, member: Member, actor: Actor): Promise<void> {
  if (actor.kind !== 'member' || member.role !== 'admin') return;
  const admins = (await members.listOf(member.organisationId)).filter(({ role }) => role === 'admin');
  if (admins.length > 1) return;
  throw new AppError(
    'conflict',
    `${member.email} is the last admin of the organisation: make another member admin first.`,
  );
}

function refuseBadEmail(email: string): void {
  const problem = emailProblem(email);
  if (problem !== null) throw new AppError('invalid', problem, { faults: [{ member: 'email', problem }] });
}
