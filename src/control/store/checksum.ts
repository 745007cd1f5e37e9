/** The checksum of everything in the store, with what a sealed secret adds to it. */
import { objectHash } from '../../lib/object-sum.ts';
import { sealedBytes } from './rows.ts';
import type { SealedSecret } from './store.ts';

export { addHash, checksumText, objectHash, removeHash } from '../../lib/object-sum.ts';

/** What a sealed secret adds to the sum. */
export function secretHash(secret: SealedSecret): bigint {
  return objectHash(`secret/${secret.id}/${secret.version}/${secret.keyId}`, sealedBytes(secret));
}
