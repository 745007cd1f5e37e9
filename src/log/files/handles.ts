/** Segment files opened for reading: on demand, a bounded number, the least recently used one closed first. */
import type { FileHandle, FileSystem } from '../../lib/fs/file-system.ts';
import type { Segment } from './segment.ts';
import { bestEffort } from './segment.ts';

interface Entry {
  readonly file: Promise<FileHandle>;
  users: number;
}

export class ReadHandles {
  readonly #files: FileSystem;
  readonly #most: number;
  /** In the order of last use, oldest first. */
  readonly #entries = new Map<Segment, Entry>();

  constructor(files: FileSystem, most: number) {
    this.#files = files;
    this.#most = most;
  }

  /** Lends a segment's file for as long as `use` runs. Rejects with FsError. */
  async with<T>(segment: Segment, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(segment) ?? {
      file: this.#files.open(segment.path, 'read'),
      users: 0,
    };
    this.#entries.delete(segment);
    this.#entries.set(segment, entry);
    entry.users++;
    let opened = false;
    try {
      const file = await entry.file;
      opened = true;
      return await use(file);
    } finally {
      entry.users--;
      if (!opened) this.#forget(segment, entry);
      await this.#closeIdle(this.#most);
    }
  }

  /** Lets go of a segment; a reader that has it now may finish. */
  async drop(segment: Segment): Promise<void> {
    const entry = this.#entries.get(segment);
    if (entry?.users === 0) await this.#close(segment, entry);
  }

  /** Lets go of all that nobody reads. */
  closeAll(): Promise<void> {
    return this.#closeIdle(0);
  }

  async #closeIdle(most: number): Promise<void> {
    for (const [segment, entry] of this.#entries) {
      if (this.#entries.size <= most) return;
      if (entry.users === 0) await this.#close(segment, entry);
    }
  }

  async #close(segment: Segment, entry: Entry): Promise<void> {
    this.#forget(segment, entry);
    await bestEffort(entry.file.then((file) => file.close()));
  }

  #forget(segment: Segment, entry: Entry): void {
    if (this.#entries.get(segment) === entry) this.#entries.delete(segment);
  }
}
