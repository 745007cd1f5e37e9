/** A destination that takes all and counts: bytes on the wire, plain bytes, lines, and when each batch came. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface Sink {
  readonly port: number;
  readonly taken: { wireBytes: number; plainBytes: number; lines: number; batches: number };
  /** Answers 503 while it is closed. */
  open: boolean;
  close(): void;
}

/**
 * @param onBatch is told the plain bytes of each batch
 * @param inflates false: plain bytes are not counted, so that the sink costs little of the two cores
 */
export async function openSink(onBatch?: (plain: Buffer) => void, inflates = true): Promise<Sink> {
  const taken = { wireBytes: 0, plainBytes: 0, lines: 0, batches: 0 };
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      response.statusCode = sink.open ? 200 : 503;
      response.end();
      const body = Buffer.concat(pieces);
      if (!sink.open || body.length === 0) return;
      taken.batches++;
      taken.wireBytes += body.length;
      // Waybill says how many lines a batch has; what is checked elsewhere need not be counted here.
      taken.lines += Number(request.headers['waybill-lines'] ?? 0);
      if (!inflates) return;
      const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      taken.plainBytes += plain.length;
      onBatch?.(plain);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sink: Sink = {
    port: (server.address() as AddressInfo).port,
    taken,
    open: true,
    close: () => void server.close(),
  };
  return sink;
}
