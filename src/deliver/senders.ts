/**
 * Open senders, one per job and destination: opened for the first attempt, used by all later ones, closed when the
 * settings change, the job ends, or too many are open and this one has been unused the longest.
 */
import type { Sender } from '../destinations/index.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { JobConfig } from '../model/snapshot.ts';

interface Slot {
  readonly job: number;
  /** The settings that it was opened with. */
  readonly conf: string;
  readonly opening: Promise<Sender>;
  users: number;
  retired: boolean;
}

export class Senders {
  readonly #open: (job: JobConfig) => Promise<Sender>;
  readonly #most: number;
  readonly #diagnostics: Diagnostics;
  /** In the order of last use. */
  readonly #slots = new Map<number, Slot>();
  readonly #closing = new Set<Promise<void>>();

  constructor(open: (job: JobConfig) => Promise<Sender>, most: number, diagnostics: Diagnostics) {
    this.#open = open;
    this.#most = most;
    this.#diagnostics = diagnostics;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Runs `use` with the sender of the job's newest destination. Rejects as opening or `use` does. */
  async with<Result>(job: JobConfig, use: (sender: Sender) => Promise<Result>): Promise<Result> {
    const slot = this.#slot(job);
    slot.users += 1;
    try {
      let sender: Sender;
      try {
        sender = await slot.opening;
      } catch (error) {
        // The next attempt opens anew.
        if (this.#slots.get(job.id) === slot) this.#slots.delete(job.id);
        slot.retired = true;
        throw error;
      }
      return await use(sender);
    } finally {
      slot.users -= 1;
      if (slot.retired) this.#closeWhenUnused(slot);
    }
  }

  /** The job's destination has changed or the job is gone: attempts under way end with the sender that they have. */
  retire(job: number): void {
    const slot = this.#slots.get(job);
    if (!slot) return;
    this.#slots.delete(job);
    slot.retired = true;
    this.#closeWhenUnused(slot);
  }

  /** Retires all; resolves when those that nobody uses are closed. */
  async close(): Promise<void> {
    for (const job of this.#slots.keys()) this.retire(job);
    await Promise.all(this.#closing);
  }

  #slot(job: JobConfig): Slot {
    const known = this.#slots.get(job.id);
    if (known?.conf === job.destinationConf) {
      this.#slots.delete(job.id);
      this.#slots.set(job.id, known);
      return known;
    }
    if (known) this.retire(job.id);
    const opening = this.#open(job);
    const slot = { job: job.id, conf: job.destinationConf, opening, users: 0, retired: false };
    this.#slots.set(job.id, slot);
    this.#closeTheLeastUsed();
    return slot;
  }

  #closeTheLeastUsed(): void {
    if (this.#slots.size <= this.#most) return;
    // Those in use are few (attempts are bounded), so the search is short.
    for (const slot of this.#slots.values()) {
      if (slot.users > 0) continue;
      this.retire(slot.job);
      return;
    }
  }

  #closeWhenUnused(slot: Slot): void {
    if (slot.users > 0) return;
    const closing = this.#closeSlot(slot).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #closeSlot(slot: Slot): Promise<void> {
    try {
      const sender = await slot.opening.catch(() => undefined);
      await sender?.close();
    } catch (error) {
      const kind = error instanceof Error ? error.name : 'unknown';
      this.#diagnostics.warn('delivery.sender.close_failed', { job: slot.job, kind });
    }
  }
}
