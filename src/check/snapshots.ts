/** The copy of the configuration, read by `docs/formats/snapshots.md` and by nothing of the control room's own code. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import type { FileSystem } from '../lib/fs/file-system.ts';
import { FileBytes, parsed } from './bytes.ts';
import { NewerFormat } from './findings.ts';
import type { Findings } from './findings.ts';

const NAME = /^(\d{8})\.wbs$/;
const FORMAT = 1;
const CRC_BYTES = 9;
const SLOT_BYTES = 128;
const LINE_BYTES_MAX = 1 << 28;
const PIECE_BYTES = 1 << 20;
const NEWLINE = Buffer.from('\n');
const MODULUS = 1n << 64n;

interface Header {
  readonly format: number;
  readonly file: number;
  readonly version: number;
  readonly objects: number;
  readonly secrets: number;
  readonly sum: string;
}

interface Sealed {
  readonly version: number;
  readonly keyId: string;
  readonly sealed: string;
}

interface Change {
  readonly version: number;
  readonly edits: readonly {
    readonly kind: string;
    readonly id: string;
    readonly after: unknown;
  }[];
  readonly secrets: readonly { readonly id: string; readonly after: Sealed | null }[];
  readonly sum: string;
}

type Line = Readonly<Record<string, unknown>>;

/** Which version the newest file ends with, and its checksum; undefined when there is no copy. */
export interface SnapshotsSeen {
  readonly version: number;
  readonly sum: string;
}

/**
 * Reads all of it.
 *
 * @throws {NewerFormat} for a file that a later version wrote; FsError when the disk does not answer
 */
export async function readSnapshots(
  files: FileSystem,
  directory: string,
  findings: Findings,
): Promise<SnapshotsSeen | undefined> {
  const names = await files.list(directory);
  const numbered = names.filter((name) => NAME.test(name));
  const head = names.includes('head') ? await readHead(files, directory, findings) : undefined;
  let newest: (SnapshotsSeen & { readonly number: number }) | undefined;
  for (const name of numbered) {
    const number = Number(name.slice(0, 8));
    const isLast = name === numbered.at(-1);
    const confirmed = isLast ? head?.version : undefined;
    const seen = await readFile(files, directory, name, confirmed, findings);
    if (seen) newest = { ...seen, number };
  }
  if (!newest) {
    if (head) findings.add('head names a file, but there is none that can be read');
    return undefined;
  }
  if (head && newest.version < head.version)
    findings.add(
      `it ends with version ${newest.version}, but version ${head.version} was in force`,
    );
  else if (head && newest.version === head.version && newest.sum !== head.sum)
    findings.add(`version ${head.version} does not have the checksum that head says`);
  return newest;
}

async function readHead(
  files: FileSystem,
  directory: string,
  findings: Findings,
): Promise<{ readonly file: number; readonly version: number; readonly sum: string } | undefined> {
  const file = await files.open(join(directory, 'head'), 'read');
  try {
    const bytes = await new FileBytes(file, await file.sizeBytes()).at(0, 2 * SLOT_BYTES);
    const slots = [bytes.subarray(0, SLOT_BYTES), bytes.subarray(SLOT_BYTES)].flatMap((slot) => {
      const end = slot.indexOf(NEWLINE);
      const line = end < 0 ? undefined : lineOf(slot.subarray(0, end));
      const head = line?.['head'] as { file: number; version: number; sum: string } | undefined;
      return head ? [head] : [];
    });
    if (slots.length === 0) findings.add('head: none of its two slots can be read');
    return slots.toSorted((a, b) => b.file - a.file || b.version - a.version)[0];
  } finally {
    await file.close();
  }
}

/** @param confirmed the version up to which damage is damage; undefined: it is anywhere but in a last line that is cut off */
async function readFile(
  files: FileSystem,
  directory: string,
  name: string,
  confirmed: number | undefined,
  findings: Findings,
): Promise<SnapshotsSeen | undefined> {
  const file = await files.open(join(directory, name), 'read');
  try {
    const size = await file.sizeBytes();
    const whole = new Whole();
    for await (const { at, text, isCut } of linesOf(new FileBytes(file, size), size)) {
      const line = isCut ? undefined : lineOf(text);
      const wrong = line ? whole.take(line, name) : 'no line can be read';
      if (wrong === undefined) continue;
      const isTail = whole.isBase && (confirmed === undefined ? isCut : whole.version >= confirmed);
      if (!isTail) findings.add(`${name}: ${wrong} at byte ${at}, nor behind it`);
      break;
    }
    if (whole.isBase) return { version: whole.version, sum: whole.sum };
    findings.add(`${name}: its base is not whole`);
    return undefined;
  } finally {
    await file.close();
  }
}

/** Lines without their newline; the last one is cut when the file does not end with one. */
async function* linesOf(bytes: FileBytes, size: number) {
  let rest: Buffer = Buffer.alloc(0);
  for (let at = 0; at < size;) {
    const piece = await bytes.at(at, PIECE_BYTES);
    if (piece.length === 0) break;
    const from = at - rest.length;
    at += piece.length;
    const text = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    let start = 0;
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, start)) {
      yield { at: from + start, text: text.subarray(start, end), isCut: false };
      start = end + 1;
    }
    rest = text.subarray(start);
    if (rest.length > LINE_BYTES_MAX) break;
  }
  if (rest.length > 0) yield { at: size - rest.length, text: rest, isCut: true };
}

function lineOf(bytes: Buffer): Line | undefined {
  const json = bytes.subarray(CRC_BYTES);
  const crc = `${crc32(json).toString(16).padStart(8, '0')} `;
  if (bytes.toString('latin1', 0, CRC_BYTES) !== crc) return undefined;
  const value = parsed(json);
  return typeof value === 'object' && value !== null ? (value as Line) : undefined;
}

/** Everything that one file has said so far, by the hashes of its objects. */
class Whole {
  version = 0;
  #header: Header | undefined;
  #left = 0;
  readonly #hashes = new Map<string, bigint>();
  #sum = 0n;

  get sum(): string {
    return this.#sum.toString(16).padStart(16, '0');
  }

  get isBase(): boolean {
    return this.#header !== undefined && this.#left === 0;
  }

  /** What is wrong with the line; undefined: nothing. */
  take(line: Line, name: string): string | undefined {
    if (!this.#header) return this.#takeHeader(line['header'] as Header | undefined, name);
    if (this.#left > 0) return this.#takeBase(line);
    const change = line['change'] as Change | undefined;
    if (!change) return 'something else stands behind the base';
    if (change.version !== this.version + 1) return `version ${change.version} does not follow`;
    for (const { kind, id, after } of change.edits)
      this.#put(`${kind}/${id}`, hashOf(kind, id, after));
    for (const { id, after } of change.secrets)
      this.#put(`secret\0${id}`, after && sealedHash(id, after));
    if (this.sum !== change.sum) return `version ${change.version} has another checksum`;
    this.version = change.version;
    return undefined;
  }

  #takeHeader(header: Header | undefined, name: string): string | undefined {
    if (!header) return 'it does not begin with a header';
    if (header.format > FORMAT) throw new NewerFormat(name, header.format);
    if (header.file !== Number(name.slice(0, 8))) return `its header says file ${header.file}`;
    this.#header = header;
    this.version = header.version;
    this.#left = header.objects + header.secrets;
    return this.#judgeBase();
  }

  #takeBase(line: Line): string | undefined {
    const object = line['object'] as { kind: string; id: string; record: unknown } | undefined;
    const secret = line['secret'] as (Sealed & { id: string }) | undefined;
    if (object)
      this.#put(`${object.kind}/${object.id}`, hashOf(object.kind, object.id, object.record));
    else if (secret) this.#put(`secret\0${secret.id}`, sealedHash(secret.id, secret));
    else return 'something else stands in the base';
    this.#left--;
    return this.#judgeBase();
  }

  #judgeBase(): string | undefined {
    if (this.#left > 0 || this.sum === this.#header?.sum) return undefined;
    this.#left = 1;
    return 'the base has another checksum';
  }

  #put(key: string, hash: bigint | null): void {
    const before = this.#hashes.get(key) ?? 0n;
    this.#sum = (this.#sum - before + (hash ?? 0n) + MODULUS) % MODULUS;
    if (hash === null) this.#hashes.delete(key);
    else this.#hashes.set(key, hash);
  }
}

function hashOf(kind: string, id: string, record: unknown): bigint | null {
  return record === null ? null : first64(`${kind}/${id}`, JSON.stringify(record));
}

function sealedHash(id: string, { version, keyId, sealed }: Sealed): bigint {
  return first64(`secret/${id}/${version}/${keyId}`, Buffer.from(sealed, 'base64'));
}

function first64(key: string, content: string | Buffer): bigint {
  return createHash('sha256').update(key).update('\0').update(content).digest().readBigUInt64BE(0);
}
