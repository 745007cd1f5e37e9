/**
 * Where a batch is prepared. One whose bytes are made anew (filtered, projected, framed) costs tens of milliseconds of a core a
 * MiB or two; where there is a thread for that, it is made there, and the shard's own thread and libuv's pool stay free for
 * answers. So is one that is put together from small blocks, which are inflated and deflated again. A small one is made here: the
 * way there would cost more.
 */
import type { DeliverLimits } from './contract.ts';
import { canBeTold } from './apart/shard-side.ts';
import { isFramed } from './frame-block.ts';
import { prepare } from './prepare.ts';
import type { Prepared, PrepareRequest, PrepareTools } from './prepare.ts';

/** Prepares batches in another thread, as `prepare` does. */
export type PrepareApart = (
  request: PrepareRequest,
  buffer: PrepareTools['buffer'],
) => Promise<Prepared>;

export interface Where {
  /** Absent: there is no other thread. */
  readonly apart: PrepareApart | undefined;
  readonly limits: Pick<
    DeliverLimits,
    'apartBytes' | 'apartAgainBytes' | 'smallBlockBytes' | 'sparingBlockBytes'
  >;
}

/** About what a batch is made of. */
export interface BatchSize {
  readonly plainBytes: number;
  /** Blocks; absent: nobody has counted them. */
  readonly blocks?: number | undefined;
}

/** What decides on it. */
export type Shape = Pick<PrepareRequest, 'content' | 'receiver' | 'sparing'> & BatchSize;

/** Whether a batch goes to the other thread: it is large, and made anew and not only copied. */
export function goesApart(shape: Shape, { apart, limits }: Where): boolean {
  const { content, receiver, plainBytes } = shape;
  if (apart === undefined || plainBytes < limits.apartAgainBytes || !canBeTold(content))
    return false;
  if (content !== 'whole' || isFramed(receiver?.framing, content))
    return plainBytes >= limits.apartBytes;
  return receiver?.encoding !== 'identity' && isOfSmallBlocks(shape, limits);
}

/** Whether most of its blocks are too small to be copied as they are. */
function isOfSmallBlocks({ plainBytes, blocks, sparing }: Shape, limits: Where['limits']): boolean {
  const small = sparing ? limits.sparingBlockBytes : limits.smallBlockBytes;
  return blocks !== undefined && blocks > 1 && plainBytes < blocks * small;
}

export function prepareWhere(
  request: PrepareRequest,
  size: BatchSize,
  tools: PrepareTools,
  where: Where,
): Promise<Prepared> {
  return where.apart && goesApart({ ...request, ...size }, where)
    ? where.apart(request, tools.buffer)
    : prepare(request, tools);
}
