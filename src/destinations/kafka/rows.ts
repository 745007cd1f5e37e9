/** A batch's lines as Kafka's records. Lines are bytes: only a field that is to be the key is looked for. */
import { gunzipSync } from 'node:zlib';
import { decodeString, findTopLevelField } from '../../lib/json/scanner.ts';
import { limits } from '../../model/limits.ts';
import type { Batch } from '../destination.ts';
import type { KafkaRecord } from './record-batch.ts';
import { LINE_FRAMING } from './settings.ts';
import type { RecordKey } from './settings.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
/** Lines that are looked into in one turn of the thread. */
const TURN_BYTES = 256 * 1024;

/** @returns the records in the lines' order */
export async function recordsOf(batch: Batch, recordKey: RecordKey): Promise<KafkaRecord[]> {
  const plain = plainOf(batch);
  const isPlaced = batch.contentType === LINE_FRAMING.contentType;
  const keyOf = keyReader(recordKey, batch);
  const records: KafkaRecord[] = [];
  let turnEnds = TURN_BYTES;
  for (let start = 0; start < plain.length;) {
    const newline = plain.indexOf(NEWLINE, start);
    const end = newline < 0 ? plain.length : newline;
    if (end > start) {
      const row = plain.subarray(start, end);
      records.push(isPlaced ? placedRecord(row, batch, keyOf) : bareRecord(row, batch, keyOf));
    }
    start = end + 1;
    if (start < turnEnds) continue;
    turnEnds = start + TURN_BYTES;
    await new Promise<void>((next) => void setImmediate(next));
  }
  return records;
}

/** Batches come plain; a trial comes as it would for others. */
function plainOf(batch: Batch): Buffer {
  const body = Buffer.concat(batch.body);
  if (batch.encoding === 'identity') return body;
  return gunzipSync(body, { maxOutputLength: limits.deliver.batchBytes });
}

type KeyOf = (line: Buffer) => Buffer | undefined;

/** A row as {@link LINE_FRAMING} writes it. */
function placedRecord(row: Buffer, batch: Batch, keyOf: KeyOf): KafkaRecord {
  const first = row.indexOf(SPACE);
  const second = row.indexOf(SPACE, first + 1);
  const value = row.subarray(second + 1);
  return {
    key: keyOf(value),
    value,
    timeMs: Number(row.toString('latin1', first + 1, second)),
    line: `${batch.epoch}:${row.toString('latin1', 0, first)}`,
  };
}

function bareRecord(value: Buffer, batch: Batch, keyOf: KeyOf): KafkaRecord {
  return { key: keyOf(value), value, timeMs: batch.receivedMs.first, line: undefined };
}

function keyReader(recordKey: RecordKey, { stream }: Batch): KeyOf {
  switch (recordKey.kind) {
    case 'none':
      return () => undefined;
    case 'stream': {
      const key = Buffer.from(stream);
      return () => key;
    }
    case 'field': {
      const name = Buffer.from(recordKey.name);
      return (line) => fieldKey(line, name);
    }
  }
}

/** A string's text; what is no string as it stands; nothing for null and for a field that is not there. */
function fieldKey(line: Buffer, name: Buffer): Buffer | undefined {
  const found = findTopLevelField(line, 0, line.length, name);
  if (found === undefined || found === 'malformed' || found.kind === 'null') return undefined;
  if (found.kind !== 'string') return line.subarray(found.start, found.end);
  const text = decodeString(line, found.start, found.end);
  return text === undefined ? undefined : Buffer.from(text);
}
