/** Who sends lines to two shards, what is asked of their answers, and what they send again. */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';

import { WINDOW as PRODUCER_WINDOW } from '../../../src/buffer/state/producers.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { StreamKey } from '../../../src/model/scope.ts';
import type { AnswerJson } from '../../../src/ingest/testing.ts';
import type { Post } from './actions.ts';
import { exchange } from './exchange.ts';
import type { Answered } from './exchange.ts';
import type { Part } from './model.ts';
import type { PairWorld } from './world.ts';

export const DATASET = 'http';
export const streamOf = (zone: number): StreamKey => `zones/z${zone}/${DATASET}`;

interface Request {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly parts: readonly Part[];
  readonly quarantine: boolean;
  /** Of a producer: its number, for which it is remembered. */
  readonly sequence: number | undefined;
  readonly isNamed: boolean;
  sent: number;
}

/** Refusals after which lines may be stored all the same: nobody knows, or a later start finds them. */
const IN_DOUBT = new Set(['shard_down', 'not_durable', 'disk_full', 'internal']);
/** Requests that may be sent again. */
const MOST_REMEMBERED = 30;

export class Clients {
  readonly #world: PairWorld;
  /** Of what is in bodies, so that one more request changes none of the others. */
  readonly #random: Random;
  #number = 0;
  #sequence = 0;
  #remembered: Request[] = [];
  readonly underWay = new Set<Promise<void>>();

  constructor(world: PairWorld, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  post(post: Post): void {
    const request = this.#make(post);
    if (request.isNamed) {
      this.#remembered = [...this.#remembered, request].slice(-MOST_REMEMBERED);
    }
    this.#send(request, post.shard, post);
  }

  /** Something that was sent is sent again: answered or not, to the same shard or the other one, while it is under way or later. */
  again(pick: number, shard: number, how: Pick<Post, 'pieces' | 'goesAfter'>): void {
    const request = this.#remembered[pick % Math.max(1, this.#remembered.length)];
    if (request === undefined) return;
    const { sequence } = request;
    if (sequence !== undefined && this.#sequence - sequence >= PRODUCER_WINDOW / 2) return;
    this.#world.seen.repeats += 1;
    this.#send(request, shard, how);
  }

  #make(post: Post): Request {
    const linesOf = new Map<string, { good: string[]; bad: string[] }>();
    const all: string[] = [];
    const zones = post.by ? post.zones : post.zones.slice(0, 1);
    for (let index = 0; index < post.lines; index += 1) {
      const zone = zones[index % zones.length]!;
      const isBad = post.bad > 0 && index % post.bad === post.bad - 1;
      const line = `{"zone":"z${zone}","n":${this.#number++},"p":"${this.#pad(post)}${isBad ? '\\q' : ''}"}`;
      const stream = streamOf(zone);
      const part = linesOf.get(stream) ?? { good: [], bad: [] };
      linesOf.set(stream, part);
      (isBad ? part.bad : part.good).push(line);
      all.push(line);
    }
    const parts = [...linesOf].map(([stream, { good, bad }]) =>
      this.#world.model.offer(stream, good, bad),
    );
    const quarantine = post.quarantine ? 'invalid=quarantine' : '';
    const plain = Buffer.from(all.map((line) => `${line}\n`).join(''));
    const { identity, sequence } = this.#identity(post);
    return {
      path: post.by
        ? `/v1/ingest/${DATASET}?by=zone${quarantine && `&${quarantine}`}`
        : `/v1/ingest/zones/z${zones[0]!}/${DATASET}${quarantine && `?${quarantine}`}`,
      headers: {
        authorization: 'Bearer secret',
        ...(post.gzip && { 'content-encoding': 'gzip' }),
        ...identity,
      },
      body: post.gzip ? gzipSync(plain) : plain,
      parts,
      quarantine: post.quarantine,
      sequence,
      isNamed: post.identity !== 'none',
      sent: 0,
    };
  }

  #pad({ pad, noise }: Post): string {
    if (!noise) return 'x'.repeat(pad);
    return this.#random.bytes(Math.ceil((pad * 3) / 4)).toString('base64');
  }

  #identity({ identity }: Post): {
    readonly identity: Readonly<Record<string, string>>;
    readonly sequence?: number;
  } {
    if (identity === 'none') return { identity: {} };
    if (identity === 'key') return { identity: { 'idempotency-key': `k${this.#number}` } };
    const sequence = ++this.#sequence;
    const header = `00000000000000aa;epoch=1;seq=${sequence}`;
    return { identity: { 'waybill-producer': header }, sequence };
  }

  #send(request: Request, to: number, how: Pick<Post, 'pieces' | 'goesAfter'>): void {
    const shard = this.#world.shards[to]!;
    const { ingest } = shard.inside ?? {};
    if (!ingest || !shard.thread || shard.thread.isDead) return;
    const pieces = piecesOf(request.body, how.pieces);
    const goesAfter = how.goesAfter && Math.min(how.goesAfter, pieces.length);
    // Of a body that never came whole nothing may be stored.
    const comesWhole = goesAfter === undefined || goesAfter === pieces.length;
    const { model } = this.#world;
    const sentBehind = new Map(
      request.parts.map(({ stream }) => [stream, model.acceptedTo(stream)]),
    );
    if (comesWhole) for (const part of request.parts) part.mayBeStored += 1;
    request.sent += 1;
    const { path, headers } = request;
    const sending = { path, headers, pieces, ...(goesAfter !== undefined && { goesAfter }) };
    const work = exchange(shard.thread, ingest, sending).then((answer) => {
      if (answer === undefined) this.#world.seen.unanswered += 1;
      else this.#answered(request, answer, sentBehind);
    });
    const tracked = work
      .catch((error: unknown) => this.#world.broke(error))
      .finally(() => this.underWay.delete(tracked));
    this.underWay.add(tracked);
  }

  #answered(
    request: Request,
    { status, json }: Answered,
    sentBehind: ReadonlyMap<string, number>,
  ): void {
    const { error, streams } = json as AnswerJson;
    const { seen, model } = this.#world;
    for (const part of request.parts) {
      const told = streams?.find(({ stream }) => stream === part.stream);
      const refused = told?.refused?.code ?? (told ? undefined : error?.code);
      if (refused !== undefined) {
        seen.refused += 1;
        seen.refusals.add(refused);
        assert.notEqual(refused, 'key_conflict', 'the same request is no conflict');
        if (!IN_DOUBT.has(refused)) part.mayBeStored -= 1;
        continue;
      }
      assert.equal(status, 200, JSON.stringify(json));
      assert.ok(told, `${part.stream} is in the answer`);
      if (told.unwanted !== undefined) {
        assert.equal(told.unwanted, part.lines.length + part.bad.length);
        part.mayBeStored -= 1;
        seen.unwanted += 1;
        continue;
      }
      assert.equal(told.accepted, part.lines.length, 'all of a part or nothing');
      assert.equal(told.quarantined ?? 0, part.bad.length);
      for (const line of part.bad) assert.ok(model.kept.has(line), 'a bad line was kept apart');
      seen.accepted += 1;
      if (part.lines.length === 0) continue;
      const { epoch, offsets, repeat = false } = told;
      assert.ok(epoch !== undefined && offsets, 'an answer says where lines stand');
      if (repeat) seen.known += 1;
      const isNamed = request.isNamed && request.sent > 1;
      assert.ok(!repeat || isNamed, 'only what was sent twice is a repeat');
      model.accepted(part, { epoch, ...offsets }, repeat, sentBehind.get(part.stream)!);
    }
  }
}

function piecesOf(body: Buffer, count: number): Buffer[] {
  const size = Math.ceil(body.length / count);
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
  return pieces;
}
