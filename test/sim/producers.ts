/** What producers do to the simulated shard: they append, come again, and read what others can see. */
import assert from 'node:assert/strict';

import type { AppendResult, RequestIdentity } from '../../src/buffer/index.ts';
import { WINDOW as PRODUCER_WINDOW } from '../../src/buffer/state/producers.ts';
import { key, linesOf } from '../../src/buffer/testing.ts';
import type { Request } from './actions.ts';
import { STREAMS } from './actions.ts';
import type { KnownRequest, Offer } from './model.ts';
import { turn } from './turn.ts';
import type { World } from './world.ts';

const HOUR_MS = 3_600_000;
/** Lost requests that may be repeated. */
const MOST_LOST = 20;

export class Producers {
  readonly #world: World;
  /** Requests that were offered, not answered, and are not there: a repeat stores them. */
  #lost: Offer[] = [];
  #number = 0;
  readonly #sequences = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** A crash took these, whose producers were never answered. */
  lost(offers: readonly Offer[]): void {
    this.#lost = [...this.#lost, ...offers].slice(-MOST_LOST);
  }

  /** Appends them side by side; with `watch` reading what is seen meanwhile. */
  async appendAll(requests: readonly Request[], watch: boolean): Promise<void> {
    let done = false;
    const all = Promise.all(requests.map((request) => this.append(request))).finally(() => {
      done = true;
    });
    const life = this.#world.life;
    while (watch && !done && life === this.#world.life) {
      for (const name of STREAMS) await this.#look(name);
      await turn();
    }
    await all;
  }

  /** Whoever sees a line may rely on it: a reader never sees what a crash could take back. */
  async #look(name: string): Promise<void> {
    const state = this.#world.shard.buffer.stream(name);
    const model = this.#world.model.stream(name);
    if (state === undefined || state.head <= model.seen) return;
    const life = this.#world.life;
    const answer = await this.#world.shard.buffer.read(name, state.head - 1, 1);
    if (answer.kind === 'blocks' && life === this.#world.life) {
      model.seen = Math.max(model.seen, answer.blocks.at(-1)!.range.to);
    }
  }

  /** Offers a request's lines, numbered so that no two are the same. */
  append(request: Request): Promise<void> {
    const stream = STREAMS[request.stream]!;
    const lines = Array.from(
      { length: request.lines },
      () => `{"s":${request.stream},"n":${this.#number++},"p":"${'x'.repeat(request.pad)}"}`,
    );
    return this.#offer(stream, lines, this.#identity(request, stream));
  }

  #identity(request: Request, stream: string): RequestIdentity | undefined {
    if (request.identity === 'none') return undefined;
    if (request.identity === 'key') return key(`k${this.#number}`);
    const sequence = (this.#sequences.get(stream) ?? 0) + 1;
    this.#sequences.set(stream, sequence);
    return { kind: 'producer', producer: 7n, epoch: 1, sequence };
  }

  async #offer(
    stream: string,
    lines: readonly string[],
    identity: RequestIdentity | undefined,
  ): Promise<void> {
    const wallMs = this.#world.clock.wallMs();
    const offer: Offer = { kind: 'append', stream, lines, wallMs, identity, refused: false };
    this.#world.model.doubts.push(offer);
    const life = this.#world.life;
    const result = await this.#world.shard.buffer.append({
      stream,
      account: 'a1',
      lines: linesOf(lines),
      ...(identity && { identity }),
    });
    assert.equal(life, this.#world.life, 'a dead process answers nobody');
    this.#answered(offer, result);
  }

  #answered(offer: Offer, result: AppendResult): void {
    if (result.kind !== 'stored') {
      assert.equal(result.kind, 'refused');
      assert.ok(this.#world.troubled, `refused without a reason: ${JSON.stringify(result)}`);
      offer.refused = true;
      this.#world.seen.refused += 1;
      return;
    }
    const { stream, lines, identity } = offer;
    const range = this.#world.model.stream(stream).take(lines, offer.wallMs);
    assert.deepEqual([result.range, result.repeat], [range, false]);
    this.#world.model.success(offer);
    if (identity !== undefined) {
      const { serviceMs } = this.#world.shard.buffer.stats();
      this.#world.model.known.push({ identity, stream, lines, range, serviceMs });
    }
  }

  /** A request comes again: one that was answered is known, one that was lost is stored. */
  async repeat(pick: number): Promise<void> {
    if (pick % 3 === 0 && this.#lost.length > 0) {
      const [offer] = this.#lost.splice(pick % this.#lost.length, 1);
      return this.#offer(offer!.stream, offer!.lines, offer!.identity);
    }
    const now = this.#world.shard.buffer.stats().serviceMs;
    const { known } = this.#world.model;
    const request = known[pick % Math.max(1, known.length)];
    if (request === undefined || this.#world.decayed) return;
    const { identity, stream, lines, range } = request;
    // A producer's sequences are remembered as far back as it may have requests under way.
    if (identity.kind === 'producer' && !this.#isRecent(request, identity.sequence)) return;
    if (identity.kind === 'key' && now - request.serviceMs > HOUR_MS / 2) return;
    const again = { stream, account: 'a1', identity };
    const result = await this.#world.shard.buffer.append({ ...again, lines: linesOf(lines) });
    assert.ok(result.kind === 'stored', `a repeat is answered: ${JSON.stringify(result)}`);
    assert.deepEqual([result.range, result.repeat], [range, true], 'a repeat is recognised');
    const other = await this.#world.shard.buffer.append({
      ...again,
      lines: linesOf([...lines, '{}']),
    });
    assert.equal(other.kind, 'key_conflict');
    this.#world.seen.repeats += 1;
  }

  /** Whether fewer than the window's requests of the producer to that stream have a higher sequence: one may come late. */
  #isRecent({ stream }: KnownRequest, sequence: number): boolean {
    let later = 0;
    for (const { identity, stream: of } of this.#world.model.known) {
      if (of === stream && identity.kind === 'producer' && identity.sequence > sequence) later += 1;
    }
    return later < PRODUCER_WINDOW;
  }
}
