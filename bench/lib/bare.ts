/**
 * A `node:http` server in a thread of its own that reads a body, writes it to a file, syncs it and answers, and does nothing else.
 * Asked beside a server under test, it says how long an answer takes here at least: what the machine, its disk, the load and
 * Node have in it.
 */
import { once } from 'node:events';
import { fdatasync, openSync, write } from 'node:fs';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

export interface BareServer {
  readonly port: number;
  close(): void;
}

interface Waiting {
  readonly body: Buffer;
  readonly response: ServerResponse;
}

/** @param file what it writes to; absent: it only answers */
export async function openBareServer(file?: string): Promise<BareServer> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { file } });
  const [port] = (await once(worker, 'message')) as [number];
  return { port, close: () => void worker.terminate() };
}

function run(file: string | undefined): void {
  const descriptor = file === undefined ? undefined : openSync(file, 'w');
  let waiting: Waiting[] = [];
  let at = 0;
  let isBusy = false;
  const answer = (answered: readonly Waiting[]): void => {
    for (const { response } of answered) response.end('{"accepted":1}');
  };
  /** As a log does: while one sync is under way, the next ones gather. */
  const commit = (to: number): void => {
    const taken = waiting;
    waiting = [];
    isBusy = taken.length > 0;
    if (!isBusy) return;
    const bytes = Buffer.concat(taken.map(({ body }) => body));
    write(to, bytes, 0, bytes.length, at, () =>
      fdatasync(to, () => {
        at += bytes.length;
        answer(taken);
        commit(to);
      }),
    );
  };
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const one = { body: Buffer.concat(pieces), response };
      if (descriptor === undefined) return answer([one]);
      waiting.push(one);
      if (!isBusy) commit(descriptor);
    });
  });
  server.listen(0, '127.0.0.1', () => {
    parentPort!.postMessage((server.address() as AddressInfo).port);
  });
}

if (!isMainThread) run((workerData as { file?: string }).file);
