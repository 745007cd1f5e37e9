/**
 * client: the producer library, exported from the npm package. It batches lines, sends them under idempotency keys and
 * repeats what was not decided, so that every line that was written is stored once or reported.
 *
 * Used by `waybill send` and the demo; a forwarder will use it too.
 */
export { createProducer } from './producer.ts';
export type {
  BodyResult,
  Producer,
  ProducerOptions,
  ProducerTotals,
  StreamResult,
  Target,
} from './producer.ts';
export { createPoster } from './post.ts';
export type { PostOutcome, Poster } from './post.ts';
