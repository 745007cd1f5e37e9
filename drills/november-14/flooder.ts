/**
 * A process that sends everybody's lines to a server, whether anybody wants them or not, as the forwarders of 14 November did.
 * It offers three times what is taken, whatever that is: what finds no free connection counts as offered.
 *
 * It runs at the lowest priority (on Linux on idle time alone), because it stands for other machines: what it takes of this one's processors to make its
 * load is no load on the product.
 */
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { ask, keepAliveAgent } from '../kit/http.ts';
import { lineOf } from '../kit/lines.ts';

export interface FloodOrder {
  readonly url: string;
  readonly token: string;
  readonly zones: readonly string[];
  readonly datasets: readonly string[];
  readonly bodyBytes: number;
  readonly connections: number;
  /** Offered at least, however little is taken. */
  readonly leastBytesPerS?: number;
}

/** Since the start. */
export interface FloodCount {
  readonly offeredBytes: number;
  readonly answeredBytes: number;
  readonly streams: number;
  readonly answers: Readonly<Record<string, number>>;
}

const TICK_MS = 20;
const TELL_MS = 250;
/** Where an order names no other. */
const LEAST_BYTES_PER_S = 20e6;
const TIMES_TAKEN = 3;

async function flood(order: FloodOrder): Promise<void> {
  const agent = keepAliveAgent(order.connections);
  const targets = order.datasets.flatMap((dataset) =>
    order.zones.map((zone) => ({ path: `zones/${zone}/${dataset}`, zone })),
  );
  const bodies = new Map(order.zones.map((zone) => [zone, bodyOf(zone, order.bodyBytes)]));
  const answers: Record<string, number> = {};
  const touched = new Set<string>();
  let [offeredBytes, answeredBytes, open, at] = [0, 0, 0, 0];

  const send = async ({ path, zone }: (typeof targets)[number]) => {
    const body = bodies.get(zone)!;
    open += 1;
    const { status, text } = await ask({
      method: 'POST',
      url: `${order.url}/v1/ingest/${path}`,
      headers: { authorization: `Bearer ${order.token}` },
      body,
      agent,
      timeoutMs: 20_000,
    });
    open -= 1;
    touched.add(path);
    const code =
      status === 200
        ? /"unwanted":[1-9]/.test(text)
          ? 'unwanted'
          : 'accepted'
        : /"code":"(\w+)"/.exec(text)?.[1];
    const what = `${status}${code ? ` ${code}` : ''}`;
    answers[what] = (answers[what] ?? 0) + 1;
    if (status === 200) answeredBytes += body.length;
  };

  const startMs = performance.now();
  let [lastMs, lastTellMs, due] = [startMs, startMs, 0];
  for (;;) {
    await sleep(TICK_MS);
    const nowMs = performance.now();
    const takenPerS = (answeredBytes * 1_000) / (nowMs - startMs);
    due +=
      (Math.max(order.leastBytesPerS ?? LEAST_BYTES_PER_S, TIMES_TAKEN * takenPerS) *
        (nowMs - lastMs)) /
      1_000;
    lastMs = nowMs;
    for (; due >= order.bodyBytes; due -= order.bodyBytes) {
      offeredBytes += order.bodyBytes;
      if (open < order.connections) {
        void send(targets[at % targets.length]!);
        at += 1;
      }
    }
    if (nowMs - lastTellMs >= TELL_MS) {
      lastTellMs = nowMs;
      const count: FloodCount = { offeredBytes, answeredBytes, streams: touched.size, answers };
      process.stdout.write(`${JSON.stringify(count)}\n`);
    }
  }
}

function bodyOf(zone: string, bytes: number): Buffer {
  let text = '';
  for (let n = 0; text.length < bytes; n += 1) text += `${lineOf(zone, n, 0)}\n`;
  return Buffer.from(text, 'latin1');
}

setPriority(19);
// It ends with whoever started it.
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.on('error', () => process.exit(0));
await flood(JSON.parse(process.argv[2]!) as FloodOrder);
