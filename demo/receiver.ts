/** A customer's own HTTP receiver: takes gzip, looks into it, keeps it as files, knows repeats by their batch id. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export class Receiver {
  readonly folder: string;
  /** Batches that came once more, the same to the byte. */
  repeats = 0;
  /** What no receiver should see. */
  readonly complaints: string[] = [];
  readonly #batches = new Map<string, Buffer>();
  readonly #server: Server;

  private constructor(folder: string) {
    this.folder = folder;
    this.#server = createServer((request, answer) => {
      this.#take(request).then(
        (status) => answer.writeHead(status).end(),
        () => answer.writeHead(500).end(),
      );
    });
  }

  static async start(folder: string): Promise<Receiver> {
    await mkdir(folder, { recursive: true });
    const receiver = new Receiver(folder);
    await new Promise<void>((ready) => receiver.#server.listen(0, '127.0.0.1', ready));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/logs`;
  }

  async #take(request: IncomingMessage): Promise<number> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const id = String(request.headers['waybill-batch-id']);
    const before = this.#batches.get(id);
    if (before) {
      this.repeats += 1;
      if (!before.equals(body)) this.complaints.push(`batch ${id} came again with other bytes`);
      return 200;
    }
    const lines = newlines(gunzipSync(body));
    if (lines !== Number(request.headers['waybill-lines'])) {
      this.complaints.push(`batch ${id} holds ${lines} lines and says otherwise`);
    }
    const name = `${id.replaceAll(/[^\w.-]/g, '_')}.log.gz`;
    await writeFile(join(this.folder, `.${name}`), body);
    await rename(join(this.folder, `.${name}`), join(this.folder, name));
    this.#batches.set(id, body);
    return 200;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }
}

function newlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
