/**
 * live: Instant Logs, a look at a zone's lines as they come in.
 *
 * Two sides. The tap (`tap.ts`) stands in ingest, on a shard's thread, before routing: lines that no job wants are seen as
 * well. It copies a bounded number of lines into a fixed arena, and costs one look at a boolean while nobody listens. The
 * sessions (`sessions.ts`) live on the control thread: they filter, project, sample and send to one listener each.
 *
 * Nothing here waits, and nothing waits for it: what is too much makes the sample coarser (`sieve.ts`), and each record says
 * in `sampleInterval` for how many lines it stands.
 */
export { LiveSessions } from './sessions.ts';
export { Tap } from './tap.ts';
export type { LiveDesk, LiveListener, LiveSession, TappedLines, Watch } from './contract.ts';
