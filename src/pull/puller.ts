/** The control thread's side: what Logpull answers, made away from the threads that take lines in and deliver them. */
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Range } from '../model/delivery.ts';
import { STREAM_FAILED } from './contract.ts';
import type {
  PullAnswer,
  PullDeps,
  PullDesk,
  PullEncoder,
  PullLimits,
  PullRequest,
  RayAnswer,
  RayRequest,
  WindowFound,
} from './contract.ts';
import { Rate } from './rate.ts';
import { searchRay } from './ray.ts';
import { piecesOf } from './stretch.ts';

interface PullerDeps extends PullDeps {
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly limits: PullLimits;
}

const NEWLINE = 0x0a;
/** Records are handed on at the latest when there are so many bytes of them: a projection may be larger than its lines. */
const CHUNK_BYTES = 256 * 1024;

export class Puller implements PullDesk {
  readonly #deps: PullerDeps;
  readonly #rate: Rate;
  /** Answers being made, by stream. */
  readonly #underWay = new Map<string, number>();

  constructor(deps: PullerDeps) {
    this.#deps = deps;
    this.#rate = new Rate(deps.clock);
  }

  admit(zone: string, token: string): boolean {
    const { requestsPerMinute, requestsPerMinuteOfToken } = this.#deps.limits;
    return this.#rate.take([
      [`zone ${zone}`, requestsPerMinute],
      [`token ${token}`, requestsPerMinuteOfToken],
    ]);
  }

  async received(request: PullRequest): Promise<PullAnswer> {
    if (!this.#begin(request.stream)) return { kind: 'busy' };
    let isHandedOver = false;
    try {
      const found = await this.#window(request.stream, request.startMs, request.endMs);
      if (found.kind !== 'window') return found;
      const { outputOptions, dataset } = request;
      const encoder = this.#deps.encoderOf({ filter: '', outputOptions, dataset }, found.epoch);
      const chunks = this.#chunks(request, found.epoch, found.range, encoder);
      // A generator that was never begun does not end either: it is begun here, and waits before the first line.
      await chunks.next();
      isHandedOver = true;
      return { kind: 'lines', chunks };
    } finally {
      if (!isHandedOver) this.#end(request.stream);
    }
  }

  async ray(request: RayRequest): Promise<RayAnswer> {
    if (!this.#begin(request.stream)) return { kind: 'busy' };
    try {
      const found = await this.#window(request.stream, request.startMs, request.endMs);
      if (found.kind !== 'window') return found;
      return await searchRay(this.#deps, request, found.epoch, found.range);
    } finally {
      this.#end(request.stream);
    }
  }

  #begin(stream: string): boolean {
    const { answers, answersPerStream } = this.#deps.limits;
    const own = this.#underWay.get(stream) ?? 0;
    const all = this.#underWay.values().reduce((sum, count) => sum + count, 0);
    if (own >= answersPerStream || all >= answers) return false;
    this.#underWay.set(stream, own + 1);
    return true;
  }

  #end(stream: string): void {
    const left = (this.#underWay.get(stream) ?? 1) - 1;
    if (left > 0) this.#underWay.set(stream, left);
    else this.#underWay.delete(stream);
  }

  async #window(...wish: Parameters<PullDeps['reader']['window']>): Promise<WindowFound> {
    try {
      return await this.#deps.reader.window(...wish);
    } catch (error) {
      return { kind: 'failed', detail: error instanceof Error ? error.message : String(error) };
    }
  }

  async *#chunks(
    { stream, count = Infinity }: PullRequest,
    epoch: string,
    range: Range,
    encoder: PullEncoder,
  ): AsyncGenerator<Buffer, void, void> {
    const { clock, limits } = this.#deps;
    const deadlineMs = clock.monotonicMs() + limits.answerMs;
    let left = count;
    let bytes = 0;
    let yielded = 0;
    let pieces: Buffer[] = [];
    let failure: string | undefined;
    try {
      yield Buffer.alloc(0);
      for await (const piece of piecesOf(this.#deps, stream, epoch, range, limits.pageBytes)) {
        if (piece.kind !== 'lines') {
          failure = piece.kind === 'damaged' ? 'lines are damaged' : piece.detail;
          continue;
        }
        const { plain, block, part } = piece;
        const encoded = encoder.encode(plain, block.from, part, false);
        const records = encoded.lines > left ? firstLines(encoded.bytes, left) : encoded.bytes;
        left -= Math.min(left, encoded.lines);
        bytes += records.length;
        if (records.length > 0) pieces.push(records);
        if (left === 0) break;
        const over = bytes >= limits.answerBytes || clock.monotonicMs() >= deadlineMs;
        if (piece.lastOfPage || over || bytes - yielded >= CHUNK_BYTES) {
          if (pieces.length > 0) yield Buffer.concat(pieces);
          yielded = bytes;
          pieces = [];
        }
        if (over) {
          failure = 'the answer met its bound of bytes or time';
          break;
        }
      }
      if (pieces.length > 0) yield Buffer.concat(pieces);
      if (failure !== undefined) {
        this.#deps.diagnostics.warn('pull.answer_not_whole', { stream, detail: failure });
        yield STREAM_FAILED;
      }
    } finally {
      this.#end(stream);
    }
  }
}

/** So many lines from the beginning on. */
function firstLines(bytes: Buffer, count: number): Buffer {
  let end = 0;
  for (let line = 0; line < count; line++) end = bytes.indexOf(NEWLINE, end) + 1;
  return bytes.subarray(0, end);
}
