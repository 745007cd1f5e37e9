/**
 * The HTTP door for lines, on node:http itself.
 *
 * The way of a request: what can be said without its body is said first ({@link file://./admit.ts admit}); the body is
 * gathered within bounds of size, memory and time ({@link file://./upload.ts upload}); then it is decompressed, framed or
 * split, and appended ({@link file://./take.ts take}); the answer names what became of each stream's lines. Lines are bytes
 * throughout: they are looked into only where a routing field or a strict dataset asks for it, and never changed.
 *
 * Memory for all of this is charged to the sender's account as it is used ({@link file://./memory.ts memory}) and given
 * back when the answer is out.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cancel } from '../lib/clock.ts';
import { hourOf } from '../model/delivery.ts';
import { acceptedReply } from './accepted-reply.ts';
import { admit } from './admit.ts';
import type { Admission, Gatekeepers } from './admit.ts';
import { refusalReply, takenReply } from './answer.ts';
import type { Outcome, Reply } from './answer.ts';
import type { Ingest, IngestDeps, IngestStats } from './contract.ts';
import { FairRate } from './fair-rate.ts';
import { LineCount } from './lines.ts';
import { memoryBudget } from './memory.ts';
import type { Lease } from './memory.ts';
import { BodyPool } from './body-pool.ts';
import { Pieces } from './pieces.ts';
import { zoneFinder } from './place.ts';
import type { Place } from './place.ts';
import type { Refusal } from './refusal.ts';
import { slots } from './slots.ts';
import type { Slots } from './slots.ts';
import { Standings } from './standing.ts';
import { Tally } from './tally.ts';
import { isOnlyCounted, take, takeCounted } from './take.ts';
import type { Taking } from './take.ts';
import { tokenReader } from './tokens.ts';
import { Trickle } from './trickle.ts';
import { receive } from './upload.ts';
import type { Upload, UploadBody, UploadEnd } from './upload.ts';
import { Wheel } from './wheel.ts';
import { write, writeEarly } from './write.ts';

/** When to come back to a server that starts or shuts down. */
const STARTING: Refusal = { code: 'starting', retryAfterS: 2 };
const DRAINING: Refusal = { code: 'draining', retryAfterS: 5 };

/** Uploads are looked at this often for those that stall; sooner where the bounds are short. */
const LOOK_MS = 1_000;

const ignore = (): void => {};

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly awaitsContinue: boolean;
}

export function createIngest(deps: IngestDeps): Ingest {
  return new Door(deps);
}

class Door implements Ingest {
  readonly #deps: IngestDeps;
  readonly #gate: Gatekeepers;
  readonly #tally: Tally;
  readonly #taking: Taking;
  readonly #uploads = new Set<Upload>();
  /** Bodies that nobody wants are read a few at a time, and all that is not kept in a share of the time. */
  readonly #unwanted: Slots;
  readonly #trickle: Trickle;
  readonly #rate: FairRate | undefined;
  #underWay = 0;
  #draining = false;
  #idle: (() => void)[] = [];
  readonly #stopLooking: Cancel;

  constructor(deps: IngestDeps) {
    const { clock, limits } = deps;
    this.#deps = deps;
    const { fair } = deps;
    this.#rate = fair && new FairRate({ ...fair, clock: deps.clock, limits });
    this.#gate = {
      standings: new Standings(
        { tokens: tokenReader(limits.tokensCached), zones: zoneFinder(limits.zonesCached) },
        limits.standingsCached,
      ),
      budget: memoryBudget(limits.heldBytes, limits.heldBytesPerAccount, deps.heldElsewhere),
      limits,
      instance: deps.instance,
      rate: this.#rate,
    };
    this.#tally = new Tally(limits.unwantedStreams);
    this.#taking = {
      deps,
      rate: this.#rate,
      decompressing: slots(limits.decompressions),
      wheel: new Wheel(clock),
      bodies: new BodyPool(limits.idleBodyBytes),
      fault: (error) => this.#fault(error),
      sawPlain: (bytes) => void (this.#tally.plainBytes += bytes),
    };
    this.#unwanted = slots(limits.unwantedUploads);
    this.#trickle = new Trickle(clock, limits.unkeptShare);
    const lookMs = Math.min(LOOK_MS, limits.stallMs / 4, limits.requestMs / 4);
    this.#stopLooking = clock.every(lookMs, () => {
      const nowMs = clock.monotonicMs();
      for (const upload of this.#uploads) upload.lookAt(nowMs);
    });
  }

  handle(request: IncomingMessage, response: ServerResponse, awaitsContinue = false): void {
    this.#tally.requests++;
    this.#underWay++;
    // A broken connection shows as the end of the upload; nobody is left to hear of anything else.
    request.on('error', ignore);
    response.on('error', ignore);
    void this.#exchange({ request, response, awaitsContinue });
  }

  #leave(): void {
    if (--this.#underWay > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** A request from its head to its answer. Never rejects. */
  async #exchange(exchange: Exchange): Promise<void> {
    try {
      const route = this.#deps.route();
      if (route === undefined) return this.#turnAway(exchange, STARTING);
      const draining = this.#draining ? DRAINING : undefined;
      const admission = admit(exchange.request, route, this.#gate, draining);
      if ('refusal' in admission) {
        this.#countNotTaken(admission.place, admission.refusal, 0);
        return this.#turnAway(exchange, admission.refusal);
      }
      const lease = this.#gate.budget.lease(admission.payer);
      try {
        const end = await this.#body(exchange, admission, lease);
        await this.#answer(exchange, admission, end, lease);
      } finally {
        this.#releaseWhenSent(exchange.response, lease);
      }
    } catch (error) {
      this.#answerFault(exchange, error);
    } finally {
      this.#leave();
    }
  }

  async #body(exchange: Exchange, admission: Admission, lease: Lease): Promise<UploadEnd> {
    const { to, payer } = admission;
    if (to.kind === 'by' || to.wanted) return await this.#read(exchange, new Pieces(), lease);
    const { limits, clock } = this.#deps;
    let ended: Promise<UploadEnd> | undefined;
    await this.#unwanted.run(payer, async () => {
      const body = isOnlyCounted(this.#deps, admission) ? new LineCount() : new Pieces();
      this.#trickle.follow(exchange.request);
      ended = this.#read(exchange, body, lease);
      // A place is for bytes that flow: a slow sender goes on without one.
      await Promise.race([ended, clock.sleep(limits.unwantedUploadMs)]);
    });
    return await ended!;
  }

  async #read(exchange: Exchange, body: UploadBody, lease: Lease): Promise<UploadEnd> {
    // While it waited to be read the sender may have gone, or the server been told to stop.
    if (exchange.request.destroyed) return { kind: 'cut' };
    if (this.#draining) return { kind: 'refused', refusal: DRAINING };
    const upload = this.#receive(exchange, body, lease);
    try {
      return await upload.ended;
    } finally {
      this.#uploads.delete(upload);
    }
  }

  #receive(exchange: Exchange, body: UploadBody, lease: Lease): Upload {
    const { request, response, awaitsContinue } = exchange;
    if (awaitsContinue) response.writeContinue();
    const upload = receive(request, body, lease, this.#deps.limits, this.#deps.clock);
    this.#uploads.add(upload);
    return upload;
  }

  async #answer(
    exchange: Exchange,
    admission: Admission,
    end: UploadEnd,
    lease: Lease,
  ): Promise<void> {
    if (end.kind === 'cut') {
      this.#tally.cut++;
      return lease.release();
    }
    if (end.kind === 'refused') {
      lease.release();
      const place = admission.to.kind === 'stream' ? admission.to : undefined;
      this.#countNotTaken(place, end.refusal, 0);
      return this.#turnAway(exchange, end.refusal);
    }
    const { body } = end;
    this.#tally.bodyBytes += body.bytes;
    const outcome =
      body instanceof LineCount
        ? takeCounted(this.#taking, admission, body)
        : await take(this.#taking, admission, body, lease);
    this.#count(outcome, admission);
    const reply = this.#replyTo(outcome);
    // What is left is the answer, until the sender has read it.
    lease.release();
    lease.force(reply.body.length);
    write(exchange.response, reply, this.#draining);
  }

  #releaseWhenSent(response: ServerResponse, lease: Lease): void {
    // Most answers are with the kernel by now.
    const sent = response.writableEnded && response.socket?.writableLength === 0;
    if (sent || response.destroyed || lease.bytes === 0) lease.release();
    else response.once('close', () => lease.release());
  }

  #replyTo(outcome: Outcome): Reply {
    if (outcome.kind === 'refused') return refusalReply(outcome.refusal);
    const keysReachBackS = Math.floor(this.#deps.keysReachBackMs() / 1000);
    const facts = { durability: this.#deps.durability, keysReachBackS };
    return acceptedReply(outcome.parts, facts) ?? takenReply(outcome.parts, facts);
  }

  /** Refuses a request whose body has not been read to its end. */
  #turnAway({ request, response }: Exchange, refusal: Refusal): void {
    const { limits, clock } = this.#deps;
    this.#tally.refused(refusal.code);
    const reply = refusalReply(refusal);
    // Nothing more can be expected of a stalled sender.
    if (refusal.code === 'upload_stalled') write(response, reply, true);
    else
      writeEarly(
        { request, response, reply, trickle: this.#trickle, limits, clock },
        this.#draining,
      );
  }

  #count(outcome: Outcome, { to }: Admission): void {
    if (outcome.kind === 'refused') {
      this.#tally.refused(outcome.refusal.code);
      if (to.kind === 'stream') this.#countNotTaken(to, outcome.refusal, outcome.lines);
      return;
    }
    for (const part of outcome.parts) {
      this.#tally.part(part);
      if (part.kind === 'refused' && part.stream !== undefined) {
        this.#countNotTaken({ stream: part.stream, wanted: true }, part.refusal, part.lines);
      }
    }
  }

  /** Only what a known token may write to, and somebody wants, gets an entry: nobody can fill the books from outside. */
  #countNotTaken(
    place: Pick<Place, 'stream' | 'wanted'> | undefined,
    refusal: Refusal,
    lines: number,
  ): void {
    if (place === undefined || !place.wanted) return;
    const hour = hourOf(this.#deps.clock.wallMs());
    this.#deps.countRefusal({
      stream: place.stream,
      hour,
      reason: refusal.code,
      requests: 1,
      lines,
    });
  }

  /** Logs a fault of ours under an id that the sender is told. */
  #fault(error: unknown): Refusal {
    const id = this.#deps.random.bytes(8).toString('hex');
    const stack = error instanceof Error ? error.stack : String(error);
    this.#deps.diagnostics.error('ingest.fault', { request: id, stack });
    return { code: 'internal', detail: `The request's id is ${id}.` };
  }

  #answerFault({ request, response }: Exchange, error: unknown): void {
    const refusal = this.#fault(error);
    this.#tally.refused(refusal.code);
    request.resume();
    if (response.headersSent) response.destroy();
    else write(response, refusalReply(refusal), true);
  }

  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const upload of this.#uploads) upload.refuse(DRAINING);
  }

  admitHanded(account: string, bytes: number): number {
    const waitMs = this.#rate?.waitMs(account, bytes) ?? 0;
    if (waitMs === 0) this.#rate?.charge(account, bytes);
    return waitMs;
  }

  regain(memory: ArrayBuffer): void {
    this.#taking.bodies.regain(memory);
  }

  stats(): IngestStats {
    const tally = this.#tally;
    return {
      requests: tally.requests,
      underWay: this.#underWay,
      uploads: this.#uploads.size,
      busyShare: this.#rate?.busyShare ?? 0,
      limitedAccounts: this.#rate?.limitedAccounts ?? 0,
      heldBytes: this.#gate.budget.heldBytes,
      heldBytesPeak: this.#gate.budget.peakBytes,
      bodyBytes: tally.bodyBytes,
      plainBytes: tally.plainBytes,
      acceptedLines: tally.acceptedLines,
      acceptedBytes: tally.acceptedBytes,
      repeatedLines: tally.repeatedLines,
      quarantinedLines: tally.quarantinedLines,
      unwantedLines: tally.unwantedLines,
      unwantedByStream: tally.unwantedByStream,
      refusals: tally.refusals,
      cut: tally.cut,
    };
  }

  async close(): Promise<void> {
    this.drain();
    this.#stopLooking();
    if (this.#underWay > 0) await new Promise<void>((resolve) => void this.#idle.push(resolve));
  }
}
