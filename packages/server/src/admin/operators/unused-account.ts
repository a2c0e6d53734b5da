import type { StoreTransaction } from '../../storage/store.ts';

/** Removes the account of a person without a role on the platform, and without an organisation. */
export async function removeUnusedAccount(
  { operators, members }: StoreTransaction,
  operatorId: string,
): Promise<void> {
  const account = await operators.find(operatorId);
  if (account?.role !== 'none') return;
  if ((await members.ofOperator(operatorId)).length === 0) await operators.delete(operatorId);
}
