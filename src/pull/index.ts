/**
 * pull: Logpull. A zone's lines by the time of their reception, from what is on disk: waiting lines, and settled ones for as
 * long as the holdback keeps them.
 *
 * Two sides. The reader (`reader.ts`) stands on a shard's thread: it finds a window by the buffer's index and reads stored
 * blocks, one reading at a time. The puller (`puller.ts`) lives on the control thread: it inflates, projects, counts and
 * streams, and asks for the next page when the last one was taken, so that a slow client costs a page and nothing else.
 *
 * A window is exact: reception never goes back in a stream, and none is answered whose lines may still be on their way. So
 * the same window gives the same lines, and consecutive windows give each line once. What cannot be whole says so: before it
 * begins, or by its last line (`STREAM_FAILED`).
 */
export { Puller } from './puller.ts';
export { pullReader } from './reader.ts';
export type { PullDesk, PulledPage, PullReader, PullRefused, WindowFound } from './contract.ts';
