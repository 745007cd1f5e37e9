/**
 * The lines of a snapshot file, as `docs/formats/snapshots.md` specifies them: a CRC-32 as 8 hex digits, a space, one JSON
 * object, a newline. Text, so that an operator can read his configuration with nothing but a pager. Held by a golden file.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { VOICES } from '../store/store.ts';
import type { SealedSecret } from '../store/store.ts';

/** The newest format that is written and read. */
export const SNAPSHOT_FORMAT = 1;

const SPACE = 0x20;
const CRC_DIGITS = 8;

const sumText = z.string().regex(/^[0-9a-f]{16}$/);
const sealedForm = z.object({
  version: z.int(),
  keyId: z.string(),
  sealed: z.base64(),
});

/** A file's first line: which base follows. */
const header = z.object({
  format: z.int(),
  file: z.int().min(1),
  /** The version that the base holds, whole. */
  version: z.int().min(0),
  atMs: z.number(),
  nextJob: z.int().min(1),
  objects: z.int().min(0),
  secrets: z.int().min(0),
  sum: sumText,
});

const object = z.object({ kind: z.string(), id: z.string(), record: z.unknown() });
const secret = sealedForm.extend({ id: z.string() });

/** One change: what replaced what, by whom and why, and the checksum of the whole after it. */
const change = z.object({
  version: z.int().min(1),
  atMs: z.number(),
  who: z.string(),
  address: z.string().nullable(),
  what: z.string(),
  voice: z.enum(VOICES).nullable(),
  reason: z.string().nullable(),
  nextJob: z.int().min(1),
  edits: z.array(
    z.object({
      kind: z.string(),
      id: z.string(),
      before: z.unknown(),
      after: z.unknown(),
      concerns: z.array(z.string()),
    }),
  ),
  secrets: z.array(
    z.object({ id: z.string(), before: sealedForm.nullable(), after: sealedForm.nullable() }),
  ),
  sum: sumText,
});

/** What is known to have been answered; the only line of the file `head`. */
const head = z.object({ file: z.int().min(1), version: z.int().min(0), sum: sumText });

const FORMS = { header, object, secret, change, head } as const;

export type FileHeader = z.infer<typeof header>;
export type ObjectLine = z.infer<typeof object>;
type SecretLine = z.infer<typeof secret>;
export type ChangeLine = z.infer<typeof change>;
export type SealedForm = z.infer<typeof sealedForm>;
export type Head = z.infer<typeof head>;
export type Line =
  | { readonly header: FileHeader }
  | { readonly object: ObjectLine }
  | { readonly secret: SecretLine }
  | { readonly change: ChangeLine }
  | { readonly head: Head };

/** One line with its newline. */
export function encodeLine(line: Line): Buffer {
  const json = Buffer.from(JSON.stringify(line), 'utf8');
  const crc = crc32(json).toString(16).padStart(CRC_DIGITS, '0');
  return Buffer.concat([Buffer.from(`${crc} `, 'latin1'), json, Buffer.from('\n', 'latin1')]);
}

/** The line that these bytes hold, without its newline; undefined when it is damaged or none. */
export function decodeLine(bytes: Buffer): Line | undefined {
  if (bytes.length < CRC_DIGITS + 3 || bytes[CRC_DIGITS] !== SPACE) return undefined;
  const crc = bytes.toString('latin1', 0, CRC_DIGITS);
  const json = bytes.subarray(CRC_DIGITS + 1);
  if (crc !== crc32(json).toString(16).padStart(CRC_DIGITS, '0')) return undefined;
  const value = parsed(json);
  const [name = ''] = Object.keys(value ?? {});
  if (value === undefined || !Object.hasOwn(FORMS, name)) return undefined;
  const form = FORMS[name as keyof typeof FORMS].safeParse(value[name]);
  return form.success ? ({ [name]: form.data } as Line) : undefined;
}

function parsed(json: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'));
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

export function sealedToForm({ version, keyId, sealed }: SealedSecret): SealedForm {
  return { version, keyId, sealed };
}

export function sealedFromForm(id: string, form: SealedForm): SealedSecret {
  return { id, version: form.version, keyId: form.keyId, sealed: form.sealed };
}

/** `00000007.wbs`: files are numbered in the order in which they were begun. */
export function snapshotFileName(file: number): string {
  return `${String(file).padStart(8, '0')}.wbs`;
}

/** The number in a snapshot file's name, or undefined for other names. */
export function snapshotFileNumber(name: string): number | undefined {
  return /^\d{8}\.wbs$/.test(name) ? Number(name.slice(0, 8)) : undefined;
}
