/** The ledger's archive, read by `docs/formats/archive.md` and by nothing of the ledger's own code. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import { FileBytes, parsed } from './bytes.ts';
import { ArchiveFrames } from './archive-frames.ts';
import { NewerFormat, count } from './findings.ts';
import type { Findings } from './findings.ts';
import { anyOf, exactly, flag, integer, natural, object, orAbsent, text } from './shapes.ts';
import { isWaybill } from './waybill.ts';
import type { Waybill } from './waybill.ts';

const NAME = /^(\d{10})\.wba$/;
const MAGIC = Buffer.from('WBARCHV\n', 'latin1');
const VERSION = 2;
/** What a disk writes whole, or tears when the power goes. */
const SECTOR_BYTES = 512;
const HEADER_BYTES = 32;
const PAYLOAD_BYTES_MAX = 1_048_576;
/** Of version 1: a length and a CRC-32. */
const V1_FRAME_BYTES = 8;

export type ArchiveEvent =
  | {
      readonly kind: 'accepted';
      readonly stream: string;
      readonly epoch: string;
      readonly range: { readonly from: number; readonly to: number };
    }
  | {
      readonly kind: 'job';
      readonly job: number;
      readonly stream: string;
      readonly epoch: string;
      readonly start: number;
      readonly open: boolean;
      /** A replay: where its lines end. */
      readonly end?: number;
    }
  | { readonly kind: 'waybill'; readonly waybill: Waybill }
  | { readonly kind: 'refused' };

type Of<Kind extends ArchiveEvent['kind']> = Extract<ArchiveEvent, { kind: Kind }>;

const isEvent = anyOf<[Of<'accepted'>, Of<'job'>, Of<'waybill'>, Of<'refused'>]>(
  object<Of<'accepted'>>({
    kind: exactly('accepted'),
    stream: text,
    epoch: text,
    range: object<Of<'accepted'>['range']>({ from: natural, to: natural }),
  }),
  object<Of<'job'>>({
    kind: exactly('job'),
    job: integer,
    stream: text,
    epoch: text,
    start: natural,
    end: orAbsent(natural),
    open: flag,
  }),
  object<Of<'waybill'>>({ kind: exactly('waybill'), waybill: isWaybill }),
  object<Of<'refused'>>({ kind: exactly('refused') }),
);

export interface ArchiveToRead {
  readonly files: FileSystem;
  readonly directory: string;
  readonly findings: Findings;
  readonly event: (event: ArchiveEvent) => void;
}

/**
 * Reads all of it. Returns the number of its oldest file (0 when there is none): above 1, older ones have been given up.
 *
 * @throws {NewerFormat} for a file that a later version wrote; FsError when the disk does not answer
 */
export async function readArchive(archive: ArchiveToRead): Promise<number> {
  const { files, directory } = archive;
  const names = (await files.list(directory)).filter((name) => NAME.test(name));
  for (const name of names) {
    const file = await files.open(join(directory, name), 'read');
    try {
      await readFile(archive, name, file);
    } finally {
      await file.close();
    }
  }
  return Number(NAME.exec(names[0] ?? '')?.[1] ?? 0);
}

async function readFile(archive: ArchiveToRead, name: string, file: FileHandle): Promise<void> {
  const { findings } = archive;
  const bytes = new FileBytes(file, await file.sizeBytes());
  const header = await bytes.at(0, HEADER_BYTES);
  // A file that a crash left without its first bytes held nothing yet.
  if (header.length < HEADER_BYTES || onlyZeros(header)) return;
  const wrong = wrongHeader(header, name);
  if (wrong !== undefined) {
    // Nor did one whose first write a power cut has torn: no frame stands behind that header.
    if (onlyZeros(await bytes.at(HEADER_BYTES, SECTOR_BYTES - HEADER_BYTES))) return;
    findings.add(`${name}: ${wrong}`);
  }
  const number = Number(name.slice(0, 10));
  // Frames of version 2 say by themselves what they are.
  const frames = new ArchiveFrames(bytes, number);
  const version = wrong === undefined ? header.readUInt16LE(8) : 2;
  if (version === 1) return readV1(archive, name, bytes);
  for (let at = HEADER_BYTES; ;) {
    const frame = await frames.at(at);
    if (frame?.payload !== undefined) {
      at = frame.end;
      if (frame.payload.length === 0) continue;
      const event = parsed(frame.payload);
      if (isEvent(event)) archive.event(event);
      else findings.add(`${name}: no event that can be understood before byte ${at}`);
      continue;
    }
    // What was never synced a crash may have cut, or is being written just now.
    const synced = await frames.synced(HEADER_BYTES);
    if (at >= synced) return;
    const next = Math.min(frame?.end ?? (await frames.next(at + 1)), synced);
    findings.add(`${name}: no event can be read in ${count(next - at, 'byte')} at byte ${at}`);
    at = next;
  }
}

async function readV1(archive: ArchiveToRead, name: string, bytes: FileBytes): Promise<void> {
  const { findings } = archive;
  for (let at = HEADER_BYTES; ;) {
    const frame = await bytes.at(at, V1_FRAME_BYTES);
    if (frame.length < V1_FRAME_BYTES) return;
    const length = frame.readUInt32LE(0);
    if (length === 0 && onlyZeros(await bytes.at(at, PAYLOAD_BYTES_MAX))) return;
    const sane = length > 0 && length <= PAYLOAD_BYTES_MAX;
    const payload = sane ? await bytes.at(at + V1_FRAME_BYTES, length) : undefined;
    // The frame goes on past the end: a crash cut it, or it is being written just now.
    if (payload !== undefined && payload.length < length) return;
    const whole = payload !== undefined && crc32(payload) === frame.readUInt32LE(4);
    const event = whole ? parsed(payload) : undefined;
    if (!isEvent(event)) {
      return findings.add(`${name}: no event can be read at byte ${at}, nor behind it`);
    }
    archive.event(event);
    at += V1_FRAME_BYTES + length;
  }
}

function wrongHeader(header: Buffer, name: string): string | undefined {
  if (!header.subarray(0, 8).equals(MAGIC)) return 'it does not begin as an archive file';
  if (crc32(header.subarray(0, 24)) !== header.readUInt32LE(24))
    return "its header's CRC-32 differs";
  const version = header.readUInt16LE(8);
  if (version > VERSION) throw new NewerFormat(name, version);
  const number = header.readUInt32LE(12);
  return number === Number(name.slice(0, 10)) ? undefined : `its header says file ${number}`;
}

function onlyZeros(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
