/**
 * Which shard owns which stream.
 *
 * The record is each shard's own log: a stream lies where its first record lies. At a start all shards say what they hold
 * before anything new is given out; from then on one {@link Directory}, on the control thread, gives each new stream to the
 * shard that has the fewest, and remembers it while the process lives, whatever becomes of the shard's thread. So no two
 * shards can be given the same stream: what a crash makes forgotten had not reached any log.
 *
 * Streams are given out before the configuration that wants them is in force, so that no line ever waits for it.
 */
import { assert } from '../lib/assert.ts';

/** Streams with their shards: what is told from thread to thread. */
export type StreamPlaces = readonly (readonly [stream: string, shard: number])[];

export class Directory {
  readonly #shardOf = new Map<string, number>();
  /** In the order of their becoming known: what another thread has been told is a prefix. */
  readonly #known: (readonly [stream: string, shard: number])[] = [];
  readonly #counts: number[];

  constructor(shards: number) {
    this.#counts = Array.from({ length: shards }, () => 0);
  }

  /** How many streams are known. */
  get size(): number {
    return this.#known.length;
  }

  ownerOf(stream: string): number | undefined {
    return this.#shardOf.get(stream);
  }

  /**
   * Takes what a shard's log holds.
   *
   * @returns a stream that another shard has already, which cannot be; undefined when all is well
   */
  found(shard: number, streams: readonly string[]): string | undefined {
    for (const stream of streams) {
      const owner = this.#shardOf.get(stream);
      if (owner === undefined) this.#put(stream, shard);
      else if (owner !== shard) return stream;
    }
    return undefined;
  }

  /** Gives out those that nobody has. What a new stream will bring is not known: their number is what can be shared out. */
  assign(streams: Iterable<string>): void {
    for (const stream of streams) {
      if (!this.#shardOf.has(stream)) this.#put(stream, this.#leastLoaded());
    }
  }

  /** What has become known since there were so many. */
  since(size: number): StreamPlaces {
    return this.#known.slice(size);
  }

  #leastLoaded(): number {
    return this.#counts.indexOf(Math.min(...this.#counts));
  }

  #put(stream: string, shard: number): void {
    assert(shard < this.#counts.length, 'a stream is given to a shard that there is');
    this.#shardOf.set(stream, shard);
    this.#known.push([stream, shard]);
    this.#counts[shard]! += 1;
  }
}

/** What one shard knows of it: never less than what the configuration that it has in force wants. */
export class Owners {
  readonly #shard: number;
  readonly #isAlone: boolean;
  readonly #shardOf = new Map<string, number>();

  constructor(shard: number, shards: number) {
    this.#shard = shard;
    this.#isAlone = shards === 1;
  }

  learn(places: StreamPlaces): void {
    for (const [stream, shard] of places) this.#shardOf.set(stream, shard);
  }

  /** Whether this shard owns the stream. */
  isOwn(stream: string): boolean {
    return this.#isAlone || this.#shardOf.get(stream) === this.#shard;
  }

  /** The other shard that owns it; undefined: this one does. */
  foreignOwner(stream: string): number | undefined {
    if (this.#isAlone) return undefined;
    const owner = this.#shardOf.get(stream);
    assert(owner !== undefined, 'a wanted stream has an owner');
    return owner === this.#shard ? undefined : owner;
  }
}
