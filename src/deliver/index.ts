/**
 * Delivery: from waiting lines to receipts. This is the room's door.
 *
 * Per job one runner (`runner.ts`): a planner decides on batches and records plans, each open plan lives its own small life
 * (`plan-run.ts`), a settler chains the waybills. What all jobs share is bounded in `turns.ts` (fairness, attempts, memory)
 * and `senders.ts`. Semantics: docs/delivery.md.
 */
export { PreparingThread } from './apart/shard-side.ts';
export { prepareForShard } from './apart/thread-side.ts';
export { compileContent } from './content/index.ts';
export { createDelivery } from './delivery.ts';
export type { PrepareApart } from './prepare-where.ts';
export type {
  Content,
  DeliverLimits,
  Delivery,
  DeliveryDeps,
  DeliveryState,
  DeliveryStats,
  JobStatus,
  KeptLine,
  ReceiverDescription,
} from './contract.ts';
export type { ContentEncoder, EncodedPiece } from './content/contract.ts';
