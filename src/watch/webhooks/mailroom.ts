/**
 * What waits for webhooks, written down: a message that was begun outlives the process, and goes out after the next start
 * under the id that it had. What is written is a copy of what memory holds: a disk that takes nothing costs the copy.
 */
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Message } from './message.ts';

export interface MessageStore {
  /** A webhook's messages, oldest first. */
  waiting(webhook: number): readonly Message[];
  /** Writes messages as they are now and removes others, all or nothing. @throws what SQLite throws */
  write(changed: readonly Waiting[], gone: readonly string[]): void;
}

interface Waiting {
  readonly webhook: number;
  readonly message: Message;
}

export class Mailroom {
  readonly #store: MessageStore;
  readonly #diagnostics: Diagnostics;
  readonly #changed = new Map<string, Waiting>();
  readonly #gone = new Set<string>();
  #due = false;
  #closed = false;

  constructor(store: MessageStore, diagnostics: Diagnostics) {
    this.#store = store;
    this.#diagnostics = diagnostics;
  }

  waiting(webhook: number): readonly Message[] {
    return this.#store.waiting(webhook);
  }

  /** A message is new, or holds more than it did. */
  keep(webhook: number, message: Message): void {
    this.#changed.set(message.id, { webhook, message });
    this.#soon();
  }

  /** It was taken or given up. */
  drop({ id }: Message): void {
    // One that comes and goes in the same turn need not touch the disk, but may have: it is removed in any case.
    this.#changed.delete(id);
    this.#gone.add(id);
    this.#soon();
  }

  /** Writes down what is left; nothing afterwards. */
  close(): void {
    this.#write();
    this.#closed = true;
  }

  /** Once for everything that one turn tells: a rule may fire for thousands of jobs at once. */
  #soon(): void {
    if (this.#due || this.#closed) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      this.#write();
    });
  }

  #write(): void {
    if (this.#closed || (this.#changed.size === 0 && this.#gone.size === 0)) return;
    try {
      this.#store.write([...this.#changed.values()], [...this.#gone]);
      this.#changed.clear();
      this.#gone.clear();
    } catch (error) {
      this.#diagnostics.warn(
        'messages of webhooks could not be written down; they are tried again',
        {
          error: String(error),
        },
      );
    }
  }
}
