/** What is sent: lines put together, under one key or number. */
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { SCOPE_PATH } from '../model/scope.ts';
import type { ProducerOptions } from './contract.ts';
import type { SpooledBody } from './spool.ts';

const NEWLINE = 10;

export interface Body {
  readonly key: string;
  /** Its number, where bodies are numbered. */
  readonly sequence: number;
  readonly lines: number;
  readonly length: number;
  /** Absent while it lies on disk only. */
  bytes?: Buffer;
  readonly spooled?: SpooledBody;
}

export function pathOf({ target, quarantine }: ProducerOptions): string {
  const query = quarantine ? 'invalid=quarantine' : '';
  if ('by' in target)
    return `/v1/ingest/${target.dataset}?by=${encodeURIComponent(target.by)}${query ? `&${query}` : ''}`;
  return `/v1/ingest/${SCOPE_PATH[target.scope.kind]}/${target.scope.id}/${target.dataset}${query ? `?${query}` : ''}`;
}

const gzipped = promisify<Buffer, Buffer>(gzip);
const zstdCompressed = promisify<Buffer, Buffer>(zstdCompress);

export async function encode(
  body: Body,
  plain: Buffer,
  options: ProducerOptions,
): Promise<{ bytes: Buffer; headers: Record<string, string> }> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${options.token}`,
    'content-type': 'application/x-ndjson',
    ...identityOf(body, options),
  };
  switch (options.compression ?? 'none') {
    case 'none':
      return { bytes: plain, headers };
    case 'gzip':
      return {
        bytes: await gzipped(plain),
        headers: { ...headers, 'content-encoding': 'gzip' },
      };
    case 'zstd':
      return {
        bytes: await zstdCompressed(plain),
        headers: { ...headers, 'content-encoding': 'zstd' },
      };
  }
}

/** A key, or where the producer numbers its bodies, its id, epoch and the number. */
function identityOf({ key, sequence }: Body, { numbers }: ProducerOptions): Record<string, string> {
  if (numbers === undefined) return { 'idempotency-key': key };
  return { 'waybill-producer': `${numbers.producer};epoch=${numbers.epoch};seq=${sequence}` };
}

export function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return bytes.at(-1) === NEWLINE ? count : count + 1;
}

/** Pieces of at most `most` bytes, cut behind newlines; a longer line is a piece of its own. */
export function* cut(bytes: Buffer, most: number): Generator<Buffer> {
  let from = 0;
  while (bytes.length - from > most) {
    let end = bytes.lastIndexOf(NEWLINE, from + most - 1) + 1;
    if (end <= from) end = bytes.indexOf(NEWLINE, from) + 1 || bytes.length;
    yield bytes.subarray(from, end);
    from = end;
  }
  if (from < bytes.length) yield bytes.subarray(from);
}
