/**
 * A `node:http` server that reads a body and answers, in a thread of its own. Asked beside a server under test, it says how long
 * an answer takes here that nothing is done for: what the machine, the load and Node have in it.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

export interface BareServer {
  readonly port: number;
  close(): void;
}

export async function openBareServer(): Promise<BareServer> {
  const worker = new Worker(new URL(import.meta.url));
  const [port] = (await once(worker, 'message')) as [number];
  return { port, close: () => void worker.terminate() };
}

if (!isMainThread) {
  const server = createServer((request, response) => {
    request.on('data', () => {});
    request.on('end', () => response.end('{"accepted":1}'));
  });
  server.listen(0, '127.0.0.1', () => {
    parentPort!.postMessage((server.address() as AddressInfo).port);
  });
}
