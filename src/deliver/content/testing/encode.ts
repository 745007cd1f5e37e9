/** Short ways for tests to encode a few lines. */
import assert from 'node:assert/strict';
import { settledLines } from '../../../model/delivery.ts';
import type { DatasetConfig, OutputOptions } from '../../../model/snapshot.ts';
import { compileContent } from '../index.ts';
import type { ContentEncoder, EncodedPiece } from '../index.ts';

export const EPOCH = '0123456789abcdef';

export interface Settings {
  readonly where?: unknown;
  readonly options?: OutputOptions | null;
  readonly dataset?: DatasetConfig;
  readonly epoch?: string;
}

export function encoderOf(settings: Settings): ContentEncoder {
  const filter = settings.where === undefined ? '' : JSON.stringify({ where: settings.where });
  const job = { filter, outputOptions: settings.options ?? null };
  const content = compileContent(job, settings.dataset, settings.epoch ?? EPOCH);
  assert.ok(content !== 'whole');
  return content;
}

/** Encodes lines at offsets from 1,000 on, and checks that each is accounted for. */
export function encodeLines(
  settings: Settings,
  lines: readonly string[],
  afterRecord = false,
): EncodedPiece {
  const plain = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const range = { from: 1_000, to: 1_000 + lines.length };
  const piece = encoderOf(settings).encode(plain, 1_000, range, afterRecord);
  const sum = settledLines({
    delivered: piece.lines,
    excluded: piece.excluded,
    dropped: { malformed: piece.malformed.length },
  });
  assert.equal(sum, lines.length);
  return piece;
}

/** The text that becomes of lines. */
export function textOfLines(settings: Settings, ...lines: readonly string[]): string {
  return encodeLines(settings, lines).bytes.toString('utf8');
}
