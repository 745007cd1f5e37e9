import type { AppendRequest, AppendResult, ShardBuffer } from '../../buffer/index.ts';
import type { Delivery } from '../../deliver/index.ts';

/** When to come back with lines whose jobs the disk did not open. */
const RETRY_MS = 1_000;
const NOT_OPENED: AppendResult = { kind: 'refused', reason: 'not_durable', retryAfterMs: RETRY_MS };

/** Stores lines once each job that wants them has its cursor on disk: they would not be delivered if it came after them. */
export function appendBehindCursors(
  {
    buffer,
    delivery,
  }: { readonly buffer: Pick<ShardBuffer, 'append'>; readonly delivery: Pick<Delivery, 'opened'> },
  request: AppendRequest,
): Promise<AppendResult> {
  const opened = delivery.opened(request.stream);
  if (opened === undefined) return buffer.append(request);
  return opened.then((isOpen) => (isOpen ? buffer.append(request) : NOT_OPENED));
}
