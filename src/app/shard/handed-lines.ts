import type { AppendRequest, ShardBuffer } from '../../buffer/index.ts';
import type { Delivery } from '../../deliver/index.ts';
import type { Ingest } from '../../ingest/index.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { PassedThrough } from '../../lib/via.ts';
import type { HandedResult } from '../../peers/index.ts';
import { appendBehindCursors } from './append.ts';

/** What of a shard its lines need that others have received. */
export interface HandedLinesDeps {
  /** Undefined while the shard takes no lines. */
  readonly shard: () =>
    | {
        readonly buffer: Pick<ShardBuffer, 'append'>;
        readonly delivery: Pick<Delivery, 'opened'>;
        readonly ingest: Pick<Ingest, 'admitHanded'>;
        readonly passedThrough: Pick<PassedThrough, 'note'>;
      }
    | undefined;
  /** Whether the configuration that is in force here wants the stream. */
  readonly wants: (stream: string) => boolean;
  /** Resolves when the configurations that have come so far are in force. */
  readonly inForce: () => Promise<unknown>;
  readonly diagnostics: Diagnostics;
}

/** When to come back with lines that cannot be stored just now. */
const RETRY_MS = 1_000;
const STARTING: HandedResult = { kind: 'refused', reason: 'starting', retryAfterMs: RETRY_MS };

/** Stores lines that another shard has received for a stream of this one. Never rejects. */
export async function storeHanded(
  { shard, wants, inForce, diagnostics }: HandedLinesDeps,
  request: AppendRequest,
  via: readonly string[],
): Promise<HandedResult> {
  const { account, lines, stream } = request;
  try {
    // A newer configuration may be in force where they were received. Jobs come first here as everywhere: lines that are stored
    // before the cursor that keeps them would never be delivered.
    if (!wants(stream)) await inForce();
    const running = shard();
    if (!running || !wants(stream)) return STARTING;
    const waitMs = running.ingest.admitHanded(account, lines.bytes.length);
    if (waitMs > 0) return { kind: 'refused', reason: 'over_fair_share', retryAfterMs: waitMs };
    const result = await appendBehindCursors(running, request);
    if (result.kind === 'stored') running.passedThrough.note(stream, result.range, via);
    return result;
  } catch (error) {
    diagnostics.error('lines of another shard could not be stored', { error: String(error) });
    return { kind: 'refused', reason: 'not_durable', retryAfterMs: RETRY_MS };
  }
}
