/**
 * Follows files: finds them by patterns, knows them again by inode and bytes whatever they are called, and reads each line
 * once over rotations, truncations and restarts.
 *
 * - Lines are numbered by where they end in their file, under a key that the file was given when it was first seen. The
 *   spool stores the number with the lines, in one record: what is stored is known after a crash, and never stored again.
 * - Rotation by rename: the open file is read to its end; after a restart it is looked for by inode in its folder.
 * - Removed: what is left goes when the last process that has it open ends. A stop therefore reads it to its end first; a
 *   crash, or a store that refuses at the stop, loses it.
 * - copytruncate: what was not read before the truncation is read from the copy, if the patterns find it there.
 */
import { dirname, join } from 'node:path';
import type { FollowedFile } from '../../lib/fs/followed.ts';
import { FsError } from '../../lib/fs/file-system.ts';
import type { Source, TailerDeps, TailStats } from './contract.ts';
import type { CutLine } from './cut.ts';
import { isCompressed, printAtLastLine, related } from './first-look.ts';
import { Followed } from './followed.ts';
import { NO_PRINT, holds, printOf } from './print.ts';
import { recall, remember } from './registry.ts';
import { RETRY_MS, StoredLines } from './stored-lines.ts';

/** A rotated file that nobody has written to for so long is at its end. */
const OVER_MS = 60_000;
/** How long a truncated file's copy is looked for, and one that was not there at the start. */
const MISSED_MS = 60_000;
/** How often positions are written down for files that only grow. */
const REMEMBER_MS = 5_000;
/** Files read at once. */
const READERS = 4;

export class Tailer {
  readonly #deps: TailerDeps;
  readonly #stored: StoredLines;
  /** Open files by inode. */
  readonly #open = new Map<string, Followed>();
  /** Known, and not there: truncated, or not found since the start. */
  readonly #missed = new Map<Followed, { readonly sinceMs: number; readonly id: string | null }>();
  #isFirst = false;
  #isDirty = false;
  #rememberedMs = 0;
  #lostBytes = 0;
  #problems = new Map<string, string>();
  #saving: Promise<void> = Promise.resolve();

  private constructor(deps: TailerDeps) {
    this.#deps = deps;
    this.#stored = new StoredLines(deps);
  }

  /** @returns the tailer, or why what it remembers cannot be read */
  static async open(deps: TailerDeps): Promise<Tailer | string> {
    const tailer = new Tailer(deps);
    const recalled = await recall(deps.registry);
    if (recalled.kind === 'unreadable')
      return `the list of followed files is damaged: ${recalled.detail}. Restore it, or remove it to read all files from their start`;
    const nowMs = deps.clock.monotonicMs();
    tailer.#isFirst = recalled.kind === 'first';
    if (recalled.kind === 'known') {
      for (const known of recalled.files)
        tailer.#missed.set(new Followed(known, nowMs, known.print.position > 0), {
          sinceMs: nowMs,
          id: known.id,
        });
    }
    return tailer;
  }

  stats(): TailStats {
    let behindBytes = 0;
    for (const followed of this.#open.values())
      behindBytes += Math.max(0, followed.bytes - followed.position);
    return {
      files: this.#open.size,
      behindBytes,
      acceptedLines: this.#stored.acceptedLines,
      unwantedLines: this.#stored.unwantedLines,
      lostBytes: this.#lostBytes,
      problems: [...this.#problems.values()],
    };
  }

  /** Follows until `signal` aborts; then positions are on disk. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#deps;
    let scannedMs = -Infinity;
    while (!signal.aborted) {
      if (clock.monotonicMs() - scannedMs >= limits.scanMs) {
        await this.scan();
        scannedMs = clock.monotonicMs();
      }
      const more = await this.read(signal);
      await this.#rememberSometimes();
      if (!more) await clock.sleep(limits.pollMs, signal);
    }
    await this.close();
  }

  /** Reads what ends with this process, writes positions down, and lets go of the files. */
  async close(): Promise<void> {
    for (const followed of this.#open.values())
      await this.#guarded(followed.path, () => this.#readIfRemoved(followed));
    if (this.#isDirty) await this.#remember();
    for (const { file } of this.#open.values()) await file?.close();
  }

  /** A file without a name is there only for as long as it is open: what can be stored of it is, up to its size now. */
  async #readIfRemoved(followed: Followed): Promise<void> {
    const { file } = followed;
    if (file === undefined) return;
    const { bytes, hasName } = await file.look();
    if (hasName) return;
    followed.hasName = false;
    followed.waitsUntilMs = 0;
    while (followed.position < bytes && (await this.#readOne(followed)));
    const lost = bytes - followed.position;
    if (lost <= 0) return;
    this.#lostBytes += lost;
    this.#deps.diagnostics.alarm(
      'a removed file that was followed could not be read to its end before the stop',
      { path: followed.path, readBytes: followed.position, lostBytes: lost },
    );
  }

  /** Looks for files: new ones, and those that are missed. */
  async scan(): Promise<void> {
    for (const followed of this.#open.values()) followed.isFound = false;
    for (const source of this.#deps.sources) {
      await this.#guarded(`patterns of ${source.name}`, async () => {
        const { files } = this.#deps;
        for (const path of await files.match(source.paths, source.exclude))
          await this.#guarded(path, () => this.#look(source, path));
      });
    }
    await this.#findRenamed();
    this.#giveUp();
    this.#isFirst = false;
    if (this.#isDirty) await this.#remember();
  }

  async #look(source: Source, path: string): Promise<void> {
    const { files, limits } = this.#deps;
    const file = await files.open(path);
    if (file === undefined) return;
    const known = this.#open.get(file.id);
    if (known !== undefined) {
      known.path = path;
      known.isFound = true;
      return file.close();
    }
    if (this.#open.size >= limits.files) {
      await file.close();
      throw new FsError('EMFILE', 'follow', path, `${limits.files} files are followed already`);
    }
    await this.#noticeTruncated(source, path);
    const missed = await this.#missedAs(source, path, file);
    if (missed !== undefined) return this.#attach(missed, file, path);
    if (await this.#isCopy(source, path, file)) return file.close();
    if (await isCompressed(file)) return file.close();
    await this.#begin(source, path, file);
  }

  /** A new file may be the copy of one that was truncated just now. */
  async #noticeTruncated(source: Source, path: string): Promise<void> {
    for (const followed of this.#open.values()) {
      const { file } = followed;
      if (followed.source !== source.name || file === undefined || !related(followed.path, path))
        continue;
      if (!(await holds(file, followed.print))) this.#replaced(followed);
    }
  }

  /** What is missed and stands here: the same file, or a copy of one that was truncated. */
  async #missedAs(source: Source, path: string, file: FollowedFile): Promise<Followed | undefined> {
    for (const same of [true, false]) {
      for (const [followed, { id }] of this.#missed) {
        if (followed.source !== source.name || (id === file.id) !== same) continue;
        const fits = same || (followed.print.position > 0 && related(followed.path, path));
        if (fits && (await holds(file, followed.print))) return followed;
      }
    }
    return undefined;
  }

  #attach(followed: Followed, file: FollowedFile, path: string): void {
    this.#missed.delete(followed);
    followed.file = file;
    followed.path = path;
    followed.isFound = true;
    this.#open.set(file.id, followed);
    this.#isDirty = true;
  }

  /** Whether it holds just what an open file of its name begins with: a copy that is being made before a truncation. */
  async #isCopy(source: Source, path: string, file: FollowedFile): Promise<boolean> {
    const { bytes } = await file.look();
    if (bytes === 0) return false;
    const print = await printOf(file, bytes);
    if (print === undefined) return false;
    for (const other of this.#open.values()) {
      if (other.source !== source.name || other.file === undefined) continue;
      if (related(other.path, path) && (await holds(other.file, print))) return true;
    }
    return false;
  }

  async #begin(source: Source, path: string, file: FollowedFile): Promise<void> {
    const { clock, random } = this.#deps;
    const key = random.bytes(8).toString('hex');
    const print = this.#isFirst && source.from === 'end' ? await printAtLastLine(file) : NO_PRINT;
    const followed = new Followed(
      { key, source: source.name, path, print, position: print.position },
      clock.monotonicMs(),
      false,
    );
    this.#attach(followed, file, path);
  }

  /** After a restart: files that were renamed to where no pattern finds them. */
  async #findRenamed(): Promise<void> {
    const { files } = this.#deps;
    const folders = new Set(
      [...this.#missed].filter(([, { id }]) => id !== null).map(([{ path }]) => dirname(path)),
    );
    for (const folder of folders) {
      await this.#guarded(folder, async () => {
        for (const path of await files.match([join(folder, '*')], [])) {
          const file = await files.open(path);
          if (file === undefined) continue;
          const found = [...this.#missed].find(([, { id }]) => id === file.id)?.[0];
          if (found !== undefined && (await holds(file, found.print))) {
            this.#attach(found, file, path);
            found.isFound = false;
          } else await file.close();
        }
      });
    }
  }

  /** What was missed for long is gone; so are open files that are at their end. */
  #giveUp(): void {
    const { clock, diagnostics } = this.#deps;
    const nowMs = clock.monotonicMs();
    for (const [followed, { sinceMs }] of this.#missed) {
      if (nowMs - sinceMs < MISSED_MS) continue;
      this.#missed.delete(followed);
      this.#isDirty = true;
      const lost = Math.max(0, followed.bytes - followed.position);
      this.#lostBytes += lost;
      if (lost > 0)
        diagnostics.alarm(
          'a followed file was truncated or removed before it was read to its end',
          {
            path: followed.path,
            readBytes: followed.position,
            lostBytes: lost,
          },
        );
      else
        diagnostics.info('a followed file is gone', {
          path: followed.path,
          readBytes: followed.position,
        });
    }
  }

  /** Reads what is new in every file. @returns whether there is more at once */
  async read(signal?: AbortSignal): Promise<boolean> {
    const queue = [...this.#open.values()];
    let more = false;
    const reader = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        if (signal?.aborted) return;
        const followed = next;
        await this.#guarded(followed.path, async () => {
          if (await this.#readOne(followed)) more = true;
        });
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    return more;
  }

  async #readOne(followed: Followed): Promise<boolean> {
    const { clock, limits } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (nowMs < followed.waitsUntilMs) return false;
    const rests = nowMs - followed.grewMs >= OVER_MS;
    const isOver = !followed.hasName || (!followed.isFound && rests);
    const before = followed.position;
    const turn = await followed.turn({
      accept: this.#accept,
      readBytes: limits.readBytes,
      lineBytes: limits.lineBytes,
      nowMs,
      isOver,
    });
    if (followed.position !== before) this.#isDirty = true;
    if (followed.cutBytes > 0) this.#tellCut(followed);
    if (turn === 'replaced') return this.#replaced(followed);
    const isEnd = followed.position >= followed.bytes;
    if (turn === 'idle' && isOver && isEnd) await this.#end(followed);
    return turn === 'more';
  }

  #tellCut(followed: Followed): void {
    this.#deps.diagnostics.alarm('a line in a followed file is longer than allowed and was cut', {
      path: followed.path,
      cutBytes: followed.cutBytes,
    });
    this.#lostBytes += followed.cutBytes;
    followed.cutBytes = 0;
  }

  /** The file begins anew under another key; what was not read of the old bytes is looked for in a copy. */
  #replaced(followed: Followed): boolean {
    const { file } = followed;
    if (file === undefined) return false;
    const { clock, random } = this.#deps;
    const nowMs = clock.monotonicMs();
    followed.file = undefined;
    this.#missed.set(followed, { sinceMs: nowMs, id: null });
    const key = random.bytes(8).toString('hex');
    const anew = new Followed({ key, source: followed.source, path: followed.path }, nowMs, false);
    anew.file = file;
    anew.isFound = followed.isFound;
    this.#open.set(file.id, anew);
    this.#isDirty = true;
    return true;
  }

  async #end(followed: Followed): Promise<void> {
    const { file } = followed;
    if (file === undefined) return;
    this.#open.delete(file.id);
    this.#isDirty = true;
    await file.close();
  }

  readonly #accept = async (
    followed: Followed,
    piece: Buffer,
    lines: readonly CutLine[],
  ): Promise<'taken' | { readonly againAfterMs: number }> => {
    const source = this.#deps.sources.find(({ name }) => name === followed.source);
    // No longer in the settings: it is let be.
    if (source === undefined) return { againAfterMs: MISSED_MS };
    if (!this.#stored.isReady(source.to)) return { againAfterMs: RETRY_MS };
    if (!followed.isDurable) {
      await this.#remember();
      if (!followed.isDurable) return { againAfterMs: RETRY_MS };
    }
    return this.#stored.take(followed, piece, lines, source.to);
  };

  async #rememberSometimes(): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#isDirty && nowMs - this.#rememberedMs >= REMEMBER_MS) await this.#remember();
  }

  /** Writes down what is known now; one at a time. */
  #remember(): Promise<void> {
    this.#saving = this.#saving.then(() =>
      this.#guarded('the list of followed files', async () => {
        this.#isDirty = false;
        this.#rememberedMs = this.#deps.clock.monotonicMs();
        const open = [...this.#open].map(([id, followed]) => ({ id, followed }));
        const missed = [...this.#missed].map(([followed, { id }]) => ({ id, followed }));
        const all = [...open, ...missed];
        const printed = all.flatMap(({ followed }) =>
          followed.print.position > 0 ? followed : [],
        );
        try {
          await remember(
            this.#deps.registry,
            all.map(({ id, followed: { key, source, path, position, print } }) => ({
              key,
              source,
              id,
              path,
              position,
              print,
            })),
          );
        } catch (error) {
          this.#isDirty = true;
          throw error;
        }
        for (const followed of printed) followed.isDurable = true;
      }),
    );
    return this.#saving;
  }

  /** One file's trouble is its own: it is told, and tried again. */
  async #guarded(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#problems.delete(what);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      if (!this.#problems.has(what) && this.#problems.size < 100) {
        this.#problems.set(what, error.message);
        this.#deps.diagnostics.error('a file cannot be followed', { detail: error.message });
      }
    }
  }
}
