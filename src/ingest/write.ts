/**
 * Writes answers. An answer to a request whose body has not been read takes care: closing a connection on which bytes are
 * still arriving resets it, and the sender may lose the answer that says why. So a bounded rest is read and thrown away.
 */
import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Clock } from '../lib/clock.ts';
import type { Reply } from './answer.ts';
import type { IngestLimits } from './contract.ts';
import { giveBack } from '../lib/give-back.ts';
import type { Trickle } from './trickle.ts';

/**
 * Answers a request whose body has been read, or none of whose body is worth waiting for.
 *
 * @param close ends the connection afterwards
 */
export function write(response: ServerResponse, reply: Reply, close: boolean): void {
  const bytes = Buffer.byteLength(reply.body);
  writeHead(response, reply, bytes, close);
  // One byte a character where all are ASCII: head and body then leave in one piece that needs no converting.
  response.end(reply.body, bytes === reply.body.length ? 'latin1' : 'utf8');
}

export interface EarlyAnswer {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly reply: Reply;
  /** Paces what is read only to be thrown away. */
  readonly trickle: Pick<Trickle, 'follow'>;
  readonly limits: Pick<IngestLimits, 'discardBytes' | 'discardMs'>;
  readonly clock: Clock;
}

/** Answers a request whose body has not been read to its end. */
export function writeEarly(answer: EarlyAnswer, close: boolean): void {
  const { request, response, reply, trickle, limits, clock } = answer;
  if (request.complete) return write(response, reply, close);
  const chunked = request.headers['transfer-encoding'] !== undefined;
  const waits = request.headers.expect !== undefined;
  const restBytes = Number(request.headers['content-length'] ?? 0);
  if (!close && !chunked && !waits && restBytes <= limits.discardBytes) {
    // The rest is short: once it has been read, the connection can be used again.
    request.on('data', giveBack);
    trickle.follow(request);
    write(response, reply, false);
    return;
  }
  writeHead(response, reply, Buffer.byteLength(reply.body), true);
  response.write(reply.body);
  let seenBytes = 0;
  const finish = (): void => {
    cancel();
    request.off('data', onData).off('end', finish).off('close', finish);
    response.end();
  };
  const onData = (piece: Buffer): void => {
    seenBytes += piece.length;
    giveBack(piece);
    if (seenBytes > limits.discardBytes) finish();
  };
  const cancel = clock.after(limits.discardMs, finish);
  request.on('data', onData).on('end', finish).on('close', finish);
  trickle.follow(request);
}

function writeHead(response: ServerResponse, reply: Reply, bytes: number, close: boolean): void {
  // As a list, which node:http takes over without looking each name up.
  const fields: OutgoingHttpHeader[] = [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(bytes),
  ];
  for (const [name, value] of Object.entries(reply.headers)) fields.push(name, String(value));
  if (close) fields.push('Connection', 'close');
  response.writeHead(reply.status, fields);
}
