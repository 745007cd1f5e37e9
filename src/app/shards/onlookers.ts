import { createRequire } from 'node:module';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Random } from '../../lib/random.ts';
import { LiveSessions } from '../../live/index.ts';
import { limits } from '../../model/limits.ts';
import type { DatasetConfig, OutputOptions } from '../../model/snapshot.ts';
import { Puller } from '../../pull/index.ts';
import type { Shards } from './shards.ts';

interface OnlookerOptions {
  readonly shards: () => Shards;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
}

/**
 * Buffer and deliver belong to the shards' threads. This one needs a function of each, when somebody looks for the first time;
 * until then they are not loaded here.
 */
const load = createRequire(import.meta.url);
const buffer = () => load('../../buffer/index.ts') as typeof import('../../buffer/index.ts');
const deliver = () => load('../../deliver/index.ts') as typeof import('../../deliver/index.ts');

/** Those who look at lines without taking them: Instant Logs and Logpull, both on the control thread. */
export function onlookers({ shards, clock, random, diagnostics }: OnlookerOptions): {
  readonly live: LiveSessions;
  readonly pull: Puller;
} {
  const live = new LiveSessions({
    clock,
    random,
    diagnostics,
    limits: limits.live,
    encoderOf: ({ filter, fieldNames, dataset }) =>
      encoderOf(
        filter,
        { ...(fieldNames && { field_names: fieldNames }), timestamp_format: 'rfc3339' },
        dataset,
        NO_EPOCH,
      ),
    watch: (watches) => shards().watch(watches),
    taken: (...session) => shards().tapTaken(...session),
  });
  const pull = new Puller({
    reader: {
      window: (...wish) => shards().pullReader.window(...wish),
      page: (...wish) => shards().pullReader.page(...wish),
    },
    inflateBlock: (...block) => buffer().inflateBlock(...block),
    encoderOf: ({ filter, outputOptions, dataset }, epoch) =>
      encoderOf(filter, outputOptions, dataset, epoch),
    clock,
    diagnostics,
    limits: limits.pull,
  });
  return { live, pull };
}

/** Only a sample of output options depends on the epoch; Instant Logs sample by themselves. */
const NO_EPOCH = '0'.repeat(16);

function encoderOf(
  filter: string,
  outputOptions: OutputOptions,
  dataset: DatasetConfig | undefined,
  epoch: string,
) {
  const encoder = deliver().compileContent({ filter, outputOptions }, dataset, epoch);
  assert(encoder !== 'whole', 'times are asked for in one form, so lines are looked into');
  return encoder;
}
