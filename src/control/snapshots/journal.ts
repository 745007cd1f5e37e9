/**
 * The data plane's own copy of the configuration: a folder of append-only files, each a full base with the changes since.
 *
 * A change is appended and synced before the control store commits it (so that what is in force is never newer than the
 * copy), and confirmed in `head` before it is answered. A crash between leaves one change at the end that nobody was
 * answered for. After a failed write or sync the file is left as it is, and the next change begins a new one.
 */
import { dirname, join } from 'node:path';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { FsError, writeAll } from '../../lib/fs/file-system.ts';
import type { FileHandle, FileSystem } from '../../lib/fs/file-system.ts';
import type { Change } from '../store/store.ts';
import { freeze, nameDraft, writeDraft } from './base-file.ts';
import { HeadFile } from './head.ts';
import type { FileIndex } from './history.ts';
import type { Holdings } from './holdings.ts';
import { encodeLine, snapshotFileName } from './line.codec.ts';
import type { ChangeLine } from './line.codec.ts';
import { readHeader } from './read-file.ts';
import { fileNumbers } from './recover.ts';
import type { OnDisk } from './recover.ts';

export interface JournalBounds {
  /** History older than this makes room. */
  readonly keepMs: number;
  /** All files together; the oldest make room. The newest two stay whatever they take. */
  readonly folderBytes: number;
  /** A new base is written when the changes since the last take more than it does, and more than this. */
  readonly changeBytesLeast: number;
}

export interface JournalDeps {
  readonly files: FileSystem;
  readonly directory: string;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly bounds: JournalBounds;
}

/** A file of the folder as it is now. */
interface OpenFile {
  readonly number: number;
  readonly handle: FileHandle;
  readonly baseVersion: number;
  readonly baseBytes: number;
  readonly offsets: number[];
  bytes: number;
}

interface Pending {
  readonly line: ChangeLine;
  readonly nextJobBefore: number;
  readonly at: number;
}

export class Journal {
  readonly #deps: JournalDeps;
  readonly #holdings: Holdings;
  #file: OpenFile | undefined;
  /** The number that the next file gets. */
  #next: number;
  #pending: Pending | undefined;
  readonly #head: HeadFile;
  #compacting: { readonly since: ChangeLine[]; readonly done: Promise<void> } | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(deps: JournalDeps, holdings: Holdings, next: number) {
    this.#deps = deps;
    this.#holdings = holdings;
    this.#next = next;
    this.#head = new HeadFile(deps.files, deps.directory);
  }

  /** Goes on with what was found whole; what a crash left behind it is cut off. */
  static async resume(deps: JournalDeps, found: OnDisk): Promise<Journal> {
    const { files, directory } = deps;
    // Whoever named these files may have been killed before the names were on stable storage; what follows rests on them.
    await syncNames(files, directory);
    const journal = new Journal(deps, found.holdings, found.file + 1);
    const handle = await files.open(join(directory, snapshotFileName(found.file)), 'write');
    try {
      if ((await handle.sizeBytes()) > found.end) await handle.truncate(found.end);
      await handle.sync();
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    journal.#file = {
      number: found.file,
      handle,
      baseVersion: found.header.version,
      baseBytes: found.baseEnd,
      offsets: [...found.offsets],
      bytes: found.end,
    };
    if (found.migrated) await journal.#beginFile();
    await journal.#confirm();
    await journal.#tidy();
    return journal;
  }

  /** Begins anew with these holdings as the base, beside whatever lies in the folder. */
  static async begin(deps: JournalDeps, holdings: Holdings): Promise<Journal> {
    const { files, directory } = deps;
    await files.makeDirectory(directory);
    await syncNames(files, directory);
    const numbers = await fileNumbers(files, directory);
    const journal = new Journal(deps, holdings, (numbers.at(-1) ?? 0) + 1);
    try {
      await journal.#beginFile();
      await journal.#confirm();
      await journal.#tidy();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      // The next change tries again, and is refused as long as this goes on.
      deps.diagnostics.alarm('the configuration has no copy of its own on disk', {
        detail: error.message,
      });
    }
    return journal;
  }

  /** What is in force. */
  get holdings(): Holdings {
    return this.#holdings;
  }

  get directory(): string {
    return this.#deps.directory;
  }

  /** Where the changes of the newest file lie. */
  get newest(): FileIndex {
    const {
      number = this.#next,
      baseVersion = this.#holdings.version,
      offsets = [],
    } = this.#file ?? {};
    return { number, baseVersion, offsets };
  }

  /**
   * Appends a change and syncs it; {@link confirm} or {@link undo} must follow.
   *
   * @returns the checksum of the whole with it
   * @throws {FsError} when the disk does not take it: then nothing was changed
   */
  append(change: Change): Promise<string> {
    return this.#serial(async () => {
      assert(!this.#pending, 'one change at a time');
      assert(change.base === this.#holdings.version, 'a change is made from what is in force');
      if (!this.#file) await this.#beginFile();
      const file = this.#file!;
      const nextJobBefore = this.#holdings.nextJob;
      const line = this.#holdings.apply(change);
      const bytes = encodeLine({ change: line });
      try {
        await writeAll(file.handle, [bytes], file.bytes);
        await file.handle.sync();
      } catch (error) {
        this.#holdings.revert(line, nextJobBefore);
        await this.#leaveFile();
        throw error;
      }
      this.#pending = { line, nextJobBefore, at: file.bytes };
      file.bytes += bytes.length;
      return line.sum;
    });
  }

  /** The change was made: it counts from now on. */
  confirm(): Promise<void> {
    return this.#serial(async () => {
      const pending = this.#pending;
      assert(pending && this.#file, 'there is a change to confirm');
      this.#pending = undefined;
      this.#file.offsets.push(pending.at);
      this.#compacting?.since.push(pending.line);
      await this.#confirm();
      this.#compactWhenDue();
    });
  }

  /** The change was not made: it is taken back, here and on disk. */
  undo(): Promise<void> {
    return this.#serial(async () => {
      const { line, nextJobBefore, at } = this.#pending!;
      this.#pending = undefined;
      this.#holdings.revert(line, nextJobBefore);
      const file = this.#file!;
      try {
        await file.handle.truncate(at);
        await file.handle.sync();
        file.bytes = at;
      } catch (error) {
        // It stays behind what was answered, where nobody takes it for more; and nothing is appended to it any more.
        this.#deps.diagnostics.warn('a refused change could not be cut off the snapshots', {
          detail: String(error),
        });
        await this.#leaveFile();
      }
    });
  }

  /** Writes a new file with what is in force as its base, now. */
  async rebase(): Promise<void> {
    await this.#compacting?.done;
    await this.#serial(async () => {
      await this.#beginFile();
      await this.#confirm();
      await this.#trim();
    });
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await this.#turn;
    await this.#compacting?.done;
    await this.#turn;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.settled();
    await this.#file?.handle.close().catch(() => {});
    await this.#head.close();
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** A failed sync may have lost what a later one reports as safe: the file is not written to again. */
  async #leaveFile(): Promise<void> {
    await this.#file?.handle.close().catch(() => {});
    this.#file = undefined;
  }

  async #beginFile(): Promise<void> {
    const { files, directory, clock } = this.#deps;
    const number = this.#next++;
    const atMs = Math.floor(clock.wallMs());
    const draft = await writeDraft(files, directory, number, freeze(this.#holdings), atMs);
    try {
      await draft.handle.sync();
      await this.#name(number);
    } catch (error) {
      await draft.handle.close().catch(() => {});
      throw error;
    }
    await this.#file?.handle.close().catch(() => {});
    this.#file = {
      number,
      handle: draft.handle,
      baseVersion: draft.header.version,
      baseBytes: draft.bytes,
      offsets: [],
      bytes: draft.bytes,
    };
  }

  /** Should it fail, the new name may stand or not: nothing is appended to the file before it any more. */
  async #name(number: number): Promise<void> {
    try {
      await nameDraft(this.#deps.files, this.#deps.directory, number);
    } catch (error) {
      await this.#leaveFile();
      throw error;
    }
  }

  /** Says in `head` what was answered. A failure is told and costs nothing but that knowledge. */
  async #confirm(): Promise<void> {
    const { diagnostics } = this.#deps;
    const { version, sum } = this.#holdings;
    try {
      await this.#head.write({ file: this.#file?.number ?? this.#next, version, sum });
    } catch (error) {
      diagnostics.alarm('the newest snapshot could not be confirmed on disk', {
        version,
        detail: String(error),
      });
    }
  }

  #compactWhenDue(): void {
    const file = this.#file;
    if (!file || this.#compacting || this.#closed) return;
    const { changeBytesLeast } = this.#deps.bounds;
    if (file.bytes - file.baseBytes <= Math.max(file.baseBytes, changeBytesLeast)) return;
    const since: ChangeLine[] = [];
    const done = this.#compact(since)
      .catch((error: unknown) => {
        this.#deps.diagnostics.error('a new base of the snapshots could not be written', {
          detail: String(error),
        });
      })
      .finally(() => {
        this.#compacting = undefined;
      });
    this.#compacting = { since, done };
  }

  /** Writes the base beside the changes that go on, and changes over between two of them. */
  async #compact(since: ChangeLine[]): Promise<void> {
    const { files, directory, clock } = this.#deps;
    const number = this.#next++;
    const frozen = freeze(this.#holdings);
    const draft = await writeDraft(files, directory, number, frozen, Math.floor(clock.wallMs()));
    await this.#serial(async () => {
      try {
        assert(!this.#pending, 'files are changed over between changes');
        if (this.#file && this.#file.number > number) throw new Error('another file was begun');
        const offsets: number[] = [];
        let bytes = draft.bytes;
        for (const line of since) {
          const encoded = encodeLine({ change: line });
          await writeAll(draft.handle, [encoded], bytes);
          offsets.push(bytes);
          bytes += encoded.length;
        }
        await draft.handle.sync();
        await this.#name(number);
        await this.#file?.handle.close().catch(() => {});
        const { version: baseVersion } = frozen;
        this.#file = {
          number,
          handle: draft.handle,
          baseVersion,
          baseBytes: draft.bytes,
          offsets,
          bytes,
        };
      } catch (error) {
        await draft.handle.close().catch(() => {});
        throw error;
      }
      await this.#confirm();
      await this.#trim();
    });
  }

  /** Drafts that a crash left behind hold nothing that counts. */
  async #tidy(): Promise<void> {
    const { files, directory } = this.#deps;
    for (const name of await files.list(directory)) {
      if (/^\d{8}\.wbs\.new$/.test(name)) await files.unlink(join(directory, name)).catch(() => {});
    }
    await this.#trim();
  }

  /** Removes the oldest files: those whose changes are all older than the history, and those beyond its bytes. */
  async #trim(): Promise<void> {
    const { files, directory, clock, bounds, diagnostics } = this.#deps;
    try {
      const numbers = await fileNumbers(files, directory);
      const sizes = await Promise.all(
        numbers.map(async (number) => (await files.stat(this.#path(number)))?.bytes ?? 0),
      );
      let total = sizes.reduce((sum, bytes) => sum + bytes, 0);
      for (const [index, number] of numbers.slice(0, -2).entries()) {
        const isOld = (await this.#begunMs(numbers[index + 1]!)) < clock.wallMs() - bounds.keepMs;
        if (!isOld && total <= bounds.folderBytes) return;
        await files.unlink(this.#path(number));
        total -= sizes[index]!;
      }
    } catch (error) {
      diagnostics.warn('old snapshots could not be removed', { detail: String(error) });
    }
  }

  /** When a file was begun; a file that does not say stays. */
  async #begunMs(number: number): Promise<number> {
    const header = await readHeader(this.#deps.files, this.#path(number));
    return header?.atMs ?? Number.POSITIVE_INFINITY;
  }

  #path(number: number): string {
    return join(this.#deps.directory, snapshotFileName(number));
  }
}

/** The folder's own name, and the names in it. */
async function syncNames(files: FileSystem, directory: string): Promise<void> {
  await files.syncDirectory(dirname(directory));
  await files.syncDirectory(directory);
}
