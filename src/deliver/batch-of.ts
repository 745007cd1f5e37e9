import type { Batch } from '../destinations/index.ts';
import type { Plan } from '../model/delivery.ts';
import type { PreparedBatch } from './prepare.ts';

/** A prepared plan as its destination sees it. */
export function batchOf(plan: Plan, stream: string, prepared: PreparedBatch): Batch {
  return {
    id: plan.id,
    job: plan.job,
    stream,
    epoch: plan.epoch,
    from: plan.range.from,
    to: plan.range.to,
    lines: prepared.counts.delivered,
    name: plan.name,
    receivedMs: plan.receivedMs,
    contentType: prepared.contentType,
    ...(prepared.receiver?.encoding === 'identity' ? { encoding: 'identity' } : {}),
    body: prepared.member.parts,
    bodyBytes: prepared.member.bytes,
    plainBytes: prepared.member.plainBytes,
    sha256: prepared.sha256,
    ...(prepared.giveBack && { done: prepared.giveBack }),
  };
}
