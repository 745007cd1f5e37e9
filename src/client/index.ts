/**
 * client: the producer library, exported from the npm package as `waybill/client`. It batches lines, sends them under keys or
 * numbers and repeats what was not decided, so that every line that was written is stored once or reported.
 *
 * Used by `waybill send` and the demo. docs/producer-library.md shows it.
 */
export { createProducer } from './producer.ts';
export type {
  BodyResult,
  Producer,
  ProducerOptions,
  ProducerTotals,
  StreamResult,
  Target,
} from './contract.ts';
export { createPoster } from './post.ts';
export type { PostOutcome, Poster } from './post.ts';
export { keepWanted } from './wanted.ts';
export type { Wanted, WantedOptions } from './wanted.ts';
