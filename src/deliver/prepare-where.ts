/**
 * Where a batch is prepared. One whose bytes are made anew (filtered, projected, framed) costs tens of milliseconds of a core a
 * MiB or two; where there is a thread for that, it is made there, and the shard's own thread and libuv's pool stay free for
 * answers. A small one is made here: the way there would cost more.
 */
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
  /** Plain bytes from which on a batch is made there. */
  readonly apartBytes: number;
}

/** What decides on it. */
export type Shape = Pick<PrepareRequest, 'content' | 'receiver'> & {
  /** About as many as the batch is made of. */
  readonly plainBytes: number;
};

/** Whether a batch goes to the other thread: it is large, and its lines are gone through one by one and not only copied. */
export function goesApart({ content, receiver, plainBytes }: Shape, where: Where): boolean {
  if (where.apart === undefined || plainBytes < where.apartBytes || !canBeTold(content))
    return false;
  return content !== 'whole' || isFramed(receiver?.framing, content);
}

export function prepareWhere(
  request: PrepareRequest,
  plainBytes: number,
  tools: PrepareTools,
  where: Where,
): Promise<Prepared> {
  return where.apart && goesApart({ ...request, plainBytes }, where)
    ? where.apart(request, tools.buffer)
    : prepare(request, tools);
}
