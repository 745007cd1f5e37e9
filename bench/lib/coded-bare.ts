/**
 * What cannot be left out of taking compressed bodies in, and nothing else: decompressed at once, deflated by libuv's pool as blocks are,
 * summed, written with a sync, answered. No token, no bounds, no lines, no log that could be read back, no delivery.
 *
 *     node bench/lib/coded-bare.ts <port> <file>
 */
import { constants as modes, openSync, writev } from 'node:fs';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { crc32, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { createDeflater } from '../../src/lib/deflater.ts';

const [port, path = ''] = process.argv.slice(2);
const file = openSync(path, modes.O_WRONLY | modes.O_CREAT | modes.O_TRUNC | modes.O_DSYNC);
const PLAIN_BYTES = 2 ** 20;
const deflater = createDeflater(3, 4);
let waiting: { readonly fragment: Buffer; readonly response: ServerResponse }[] = [];
let isWriting = false;

createServer((asked, response) => {
  const pieces: Buffer[] = [];
  asked.on('data', (piece: Buffer) => pieces.push(piece));
  asked.on('end', () => {
    const plain = decoded(asked.headers['content-encoding'], Buffer.concat(pieces));
    crc32(plain);
    void deflater.deflate(plain).then((fragment) => {
      if (plain.buffer instanceof ArrayBuffer) plain.buffer.transfer(0);
      waiting.push({ fragment, response });
      if (!isWriting) commit();
    });
  });
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));

function decoded(coding: string | undefined, body: Buffer): Buffer {
  if (coding === 'gzip') return gunzipSync(body, { chunkSize: PLAIN_BYTES });
  return coding === 'zstd' ? zstdDecompressSync(body, { chunkSize: PLAIN_BYTES }) : body;
}

function commit(): void {
  const taken = waiting;
  waiting = [];
  isWriting = true;
  writev(
    file,
    taken.map(({ fragment }) => fragment),
    () => {
      for (const { response } of taken) response.end('{"accepted":1}');
      isWriting = false;
      if (waiting.length > 0) commit();
    },
  );
}
