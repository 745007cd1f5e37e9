import type { DeflateMany } from '../../lib/deflate-many/contract.ts';
import type { Gate } from '../gate.ts';

/** Where blocks are deflated. */
export interface Compressions {
  /** Bounds the deflating in the pool: a commit of many streams has many blocks. */
  readonly gate: Gate;
  /** Absent: there is nothing but the pool. */
  readonly many: DeflateMany | undefined;
}
