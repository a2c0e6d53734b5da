import { auditContract } from './store-contract-audit.ts';
import { changesContract } from './store-contract-changes.ts';
import { keysContract } from './store-contract-keys.ts';
import { operatorsContract } from './store-contract-operators.ts';
import { usageContract } from './store-contract-usage.ts';
import { storeContract, type OpenedStore } from './store-contract.ts';

/** Everything that every database under the store must do. A contract that is added here is tried on each of them. */
export function everyStoreContract(open: () => Promise<OpenedStore>): void {
  storeContract(open);
  changesContract(open);
  auditContract(open);
  operatorsContract(open);
  usageContract(open);
  keysContract(open);
}
