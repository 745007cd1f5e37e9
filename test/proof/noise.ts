/** Changes to the files of a shard's folder that nobody would make: for parsers that must stand anything. */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';

/** Changes files by their paths within the shard's folder. */
export type Change = (files: Map<string, Buffer>) => void;

/** Overwrites a record, a chunk or an event and makes all checksums over it right again, as if a bug had written it. */
const FORGERS: Readonly<Record<string, (file: Buffer, which: number, payload: Buffer) => Buffer>> =
  {
    seg: forgeRecord,
    wbc: forgeChunk,
    wba: forgeEvent,
  };

function forgeRecord(file: Buffer, which: number, payload: Buffer): Buffer {
  const starts: number[] = [];
  for (let at = 64; at + 32 <= file.length;) {
    starts.push(at);
    at += 32 + Math.ceil(file.readUInt32LE(at + 4) / 8) * 8;
  }
  const at = starts[which % starts.length]!;
  const length = file.readUInt32LE(at + 4);
  const changed = Buffer.from(file);
  const record = changed.subarray(at + 32, at + 32 + length);
  // Behind the record's frame, filled up with blanks so that JSON stays JSON.
  if (record.length > 24) {
    record.fill(' ', 24);
    payload.copy(record, 24);
    if (payload[0] !== undefined && which % 3 === 0) record[9] = payload[0] % 10;
    record.writeUInt32LE(crc32(record.subarray(8)), 4);
  }
  changed.writeUInt32LE(crc32(record), at + 8);
  const where = Buffer.alloc(8);
  where.writeBigUInt64LE(BigInt(at - 64) + file.readBigUInt64LE(32));
  changed.writeUInt32LE(crc32(where, crc32(changed.subarray(at, at + 28))), at + 28);
  return changed;
}

function forgeChunk(file: Buffer, which: number, payload: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 16; at + 12 <= file.length;) {
    const end = at + 12 + file.readUInt32LE(at);
    chunks.push(Buffer.from(file.subarray(at, end)));
    at = end;
  }
  const index = which % chunks.length;
  const forged = Buffer.concat([chunks[index]!.subarray(0, 12), payload]);
  forged.writeUInt32LE(payload.length, 0);
  forged.writeUInt32LE(crc32(forged.subarray(8)), 4);
  chunks[index] = forged;
  if (index < chunks.length - 1) {
    const crc = chunks.slice(0, -1).reduce((sum, chunk) => crc32(chunk.subarray(4, 8), sum), 0);
    const body = Buffer.from(JSON.stringify({ chunks: chunks.length - 1, crc }));
    const end = Buffer.concat([chunks.at(-1)!.subarray(0, 12), body]);
    end.writeUInt32LE(body.length, 0);
    end.writeUInt32LE(crc32(end.subarray(8)), 4);
    chunks[chunks.length - 1] = end;
  }
  return Buffer.concat([file.subarray(0, 16), ...chunks]);
}

function forgeEvent(file: Buffer, which: number, payload: Buffer): Buffer {
  const starts: number[] = [];
  for (let at = 32; at + 8 <= file.length; at += 8 + file.readUInt32LE(at)) starts.push(at);
  if (starts.length === 0) return file;
  const at = starts[which % starts.length]!;
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32(payload), 4);
  const rest = file.subarray(at + 8 + file.readUInt32LE(at));
  return Buffer.concat([file.subarray(0, at), frame, payload, rest]);
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((all) => Buffer.from(all));

/** Values as JSON has them, often in the shapes that our own records have. */
const strange = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(-1, 0, 0.5, 1e21, 2 ** 53, null, '', [], {}),
);
const NAMES = [
  'id',
  'key',
  'account',
  'epoch',
  'job',
  'stream',
  'start',
  'event',
  'cursor',
  'kind',
  'sequence',
  'range',
  'counts',
  'previous',
  'position',
  'tailStart',
  'waybill',
  'chunks',
];
const EVENTS = ['opened', 'closed', 'forgotten', 'accepted', 'waybill', 'job', 'refused'];
const shaped = fc.oneof(
  fc.dictionary(fc.constantFrom(...NAMES), fc.oneof(strange, fc.constantFrom(...EVENTS)), {
    maxKeys: 8,
  }),
  fc.array(strange, { maxLength: 6 }),
  fc.array(fc.array(strange, { maxLength: 12 }), { maxLength: 3 }),
  strange,
);
const payloads = fc.oneof(
  bytes(300),
  shaped.map((value) => Buffer.from(JSON.stringify(value))),
);

const picked = (files: Map<string, Buffer>, pick: number): [string, Buffer] => {
  const all = [...files];
  return all[pick % all.length]!;
};

/** What a disk may do to a folder: noise, holes, ends cut off, files under other names. */
export const decay: fc.Arbitrary<Change> = fc.oneof(
  // All of a file is noise, or nothing.
  fc.tuple(fc.nat(), bytes(400)).map(([pick, noise]): Change => (files) => {
    files.set(picked(files, pick)[0], noise);
  }),
  fc
    .tuple(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), bytes(60))
    .map(([pick, share, noise]): Change => (files) => {
      const [name, old] = picked(files, pick);
      const changed = Buffer.from(old);
      noise.copy(changed, Math.floor(share * changed.length));
      files.set(name, changed);
    }),
  fc
    .tuple(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([pick, share]): Change => (files) => {
      const [name, old] = picked(files, pick);
      files.set(name, old.subarray(0, Math.floor(share * old.length)));
    }),
  // A file under another name.
  fc
    .tuple(fc.nat(), fc.maxSafeNat(), fc.bigInt({ min: 0n, max: 9_999_999_999_999_999n }))
    .map(([pick, sequence, base]): Change => (files) => {
      const [name, old] = picked(files, pick);
      const digits = (value: number | bigint) => String(value).padStart(16, '0').slice(-16);
      files.set(
        pick % 2 === 0 ? `log/${digits(sequence)}-${digits(base)}.seg` : `${name}.seg`,
        old,
      );
      if (pick % 4 === 0) files.delete(name);
    }),
);

/** Noise with checksums that hold: what only a mistake of our own could write. */
export const forgery: fc.Arbitrary<Change> = fc
  .tuple(fc.nat(), fc.nat(), payloads)
  .map(([pick, which, payload]): Change => (files) => {
    const [name, old] = picked(files, pick);
    const forge = FORGERS[name.split('.').at(-1)!];
    if (old.length > 100 && forge) files.set(name, forge(old, which, payload));
  });
