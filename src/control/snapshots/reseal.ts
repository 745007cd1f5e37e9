/**
 * Seals the secrets of older snapshot files with the newest key, one file after the other: written anew beside it and renamed.
 * Checksums of the whole follow, since they are over sealed bytes. What cannot be opened, or read, stays as it is.
 */
import { join } from 'node:path';
import { writeAll } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { addHash, checksumText, removeHash, secretHash } from '../store/checksum.ts';
import type { SealedSecret } from '../store/store.ts';
import { nameDraft } from './base-file.ts';
import {
  decodeLine,
  encodeLine,
  sealedFromForm,
  sealedToForm,
  snapshotFileName,
} from './line.codec.ts';
import type { Line, SealedForm } from './line.codec.ts';
import { linesOf } from './read-file.ts';

const WRITE_BYTES = 1 << 20;

/** Rewrites one file. Rejects with FsError; then the file is as it was. */
export async function resealFile(
  files: FileSystem,
  directory: string,
  number: number,
  reseal: (sealed: SealedSecret) => SealedSecret,
): Promise<void> {
  const path = join(directory, snapshotFileName(number));
  const draft = `${path}.new`;
  const resealing = new Resealing(reseal);
  const source = await files.open(path, 'read');
  try {
    // The header comes first and holds the base's sum: the base is gone through once for it.
    for await (const { bytes, whole } of linesOf(source)) {
      const line = whole ? decodeLine(bytes) : undefined;
      if (!line || 'change' in line) break;
      if ('secret' in line) resealing.base(line.secret.id, line.secret);
    }
    if (await files.stat(draft)) await files.unlink(draft);
    const target = await files.open(draft, 'create');
    try {
      let at = 0;
      let waiting: Buffer[] = [];
      let waitingBytes = 0;
      const flush = async (): Promise<void> => {
        await writeAll(target, waiting, at);
        at += waitingBytes;
        waiting = [];
        waitingBytes = 0;
      };
      for await (const { bytes, whole } of linesOf(source)) {
        const line = whole ? decodeLine(bytes) : undefined;
        const written = line ? encodeLine(resealing.line(line)) : withEnd(bytes, whole);
        waiting.push(written);
        waitingBytes += written.length;
        if (waitingBytes >= WRITE_BYTES) await flush();
      }
      if (waitingBytes > 0) await flush();
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
  // It may have made room meanwhile.
  if (await files.stat(path)) await nameDraft(files, directory, number);
  else await files.unlink(draft);
}

function withEnd(bytes: Buffer, whole: boolean): Buffer {
  return whole ? Buffer.concat([bytes, Buffer.from('\n')]) : Buffer.from(bytes);
}

class Resealing {
  readonly #reseal: (sealed: SealedSecret) => SealedSecret;
  /** Each sealed form once: it stands in several places, and sealing it twice would not give the same bytes. */
  readonly #done = new Map<string, SealedForm>();
  /** Secrets that stand now, as they were sealed before. */
  readonly #standing = new Map<string, SealedForm>();
  /** By how much the sum differs from what it was. */
  #shift = 0n;

  constructor(reseal: (sealed: SealedSecret) => SealedSecret) {
    this.#reseal = reseal;
  }

  base(id: string, form: SealedForm): void {
    this.#put(id, form);
  }

  line(line: Line): Line {
    if ('header' in line) return { header: { ...line.header, sum: this.#sum(line.header.sum) } };
    if ('secret' in line)
      return { secret: { id: line.secret.id, ...this.#form(line.secret.id, line.secret) } };
    if (!('change' in line)) return line;
    const { change } = line;
    const secrets = change.secrets.map(({ id, before, after }) => ({
      id,
      before: before && this.#form(id, before),
      after: after && this.#form(id, after),
    }));
    for (const { id, after } of change.secrets) this.#put(id, after);
    return { change: { ...change, secrets, sum: this.#sum(change.sum) } };
  }

  #sum(text: string): string {
    return checksumText(addHash(BigInt(`0x${text}`), this.#shift));
  }

  #put(id: string, form: SealedForm | null): void {
    const before = this.#standing.get(id);
    if (before) this.#shift = removeHash(this.#shift, this.#difference(id, before));
    if (form) {
      this.#shift = addHash(this.#shift, this.#difference(id, form));
      this.#standing.set(id, form);
    } else this.#standing.delete(id);
  }

  /** What resealing it does to the sum. */
  #difference(id: string, form: SealedForm): bigint {
    const after = secretHash(sealedFromForm(id, this.#form(id, form)));
    return removeHash(after, secretHash(sealedFromForm(id, form)));
  }

  #form(id: string, { version, keyId, sealed }: SealedForm): SealedForm {
    const key = `${id}\0${sealed}`;
    let form = this.#done.get(key);
    if (!form) {
      const before = sealedFromForm(id, { version, keyId, sealed });
      this.#done.set(key, (form = sealedToForm(this.#reseal(before))));
    }
    return form;
  }
}
