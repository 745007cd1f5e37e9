/** A batch as delivery makes it for a conf: framed if the receiver wants that, and packed unless it takes no gzip. */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { sampleBatch } from '../../src/destinations/conformance.ts';
import { frameLines, hasProblems, parseDestination } from '../../src/destinations/index.ts';
import type { Batch } from '../../src/destinations/index.ts';

const policy = { allowHttp: true, fileRoots: [] };

export function framedBatch(
  conf: string,
  lines: readonly string[],
  { id = 'job7-aa-0', nowMs = Date.now() }: { readonly id?: string; readonly nowMs?: number } = {},
): Batch {
  const parsed = parseDestination(conf, policy);
  assert.ok(!hasProblems(parsed), JSON.stringify(parsed));
  const { framing, encoding } = parsed;
  const place = { job: 7, epoch: '00000000000000aa', receivedMs: nowMs };
  const plain = framing
    ? frameLines(
        framing,
        lines.map((line, offset) => ({ ...place, bytes: Buffer.from(line), offset })),
      )
    : Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return {
    ...withBody(plain, encoding),
    id,
    lines: lines.length,
    to: lines.length,
    receivedMs: { first: nowMs, last: nowMs },
    contentType: framing?.contentType ?? 'application/x-ndjson',
    ...(encoding ? { encoding } : {}),
  };
}

/** A batch with this very body. */
export function withBody(plain: Buffer, encoding?: 'identity'): Batch {
  const body = encoding === 'identity' ? plain : gzipSync(plain, { level: 1 });
  const sizes = { bodyBytes: body.length, plainBytes: plain.length };
  return { ...sampleBatch(100), body: [body], ...sizes };
}
