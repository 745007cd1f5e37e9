/** Where all jobs deliver to: it keeps what it took, and compares what comes twice. */
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';

import type { Batch, Sender, SendOutcome } from '../../../src/destinations/index.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { Mood } from './actions.ts';
import type { PairModel } from './model.ts';
import type { SimThread } from './thread.ts';

const FAILED: SendOutcome = { kind: 'retry', reason: 'not now' };

export class Destination {
  mood: Mood = 'takes';
  readonly #model: PairModel;
  readonly #random: Random;
  /** By stream, what was taken. */
  readonly #taken = new Map<string, Set<number>>();

  constructor(model: PairModel, random: Random) {
    this.#model = model;
    this.#random = random;
  }

  /** @param broke told of a claim that does not hold: a sender's faults are for delivery to bear */
  senderFor(thread: SimThread, broke: (error: unknown) => void): Sender {
    return {
      send: async (batch, signal) => {
        await thread.awake();
        const { mood } = this;
        if (mood === 'hangs') await aborted(signal);
        let outcome = FAILED;
        try {
          if (mood === 'takes') outcome = this.#take(batch);
        } catch (error) {
          broke(error);
        }
        await thread.awake();
        batch.done?.();
        // The answer may be lost on its way.
        return this.#random.fraction() < 0.05 ? FAILED : outcome;
      },
      close: () => Promise.resolve(),
    };
  }

  #take({ body, bodyBytes, epoch, from, lines, name, stream, to }: Batch): SendOutcome {
    const bytes = Buffer.concat(body);
    assert.equal(bytes.length, bodyBytes, 'a body is as long as it says');
    const texts = gunzipSync(bytes).toString().split('\n').slice(0, -1);
    assert.equal(texts.length, to - from, 'a batch has the lines of its range');
    assert.equal(lines, texts.length);
    this.#model.saw(stream, epoch, from, texts);
    const taken = this.#taken.get(stream) ?? new Set();
    this.#taken.set(stream, taken);
    for (let at = from; at < to; at += 1) taken.add(at);
    return { kind: 'accepted', receipt: name };
  }

  assertAll(stream: string, head: number): void {
    for (let at = 0; at < head; at += 1) {
      assert.ok(this.#taken.get(stream)?.has(at), `${stream} line ${at} of ${head} was delivered`);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
