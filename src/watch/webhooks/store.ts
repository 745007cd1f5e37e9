import type { AlertStore } from '../alert-store.ts';
import type { NewWebhook, WebhookForm } from '../contract.ts';
import type { MessageStore } from './mailroom.ts';
import type { Message } from './message.ts';

export interface StoredWebhook extends NewWebhook {
  readonly id: number;
}

/** Webhooks on disk, URL and key sealed. */
export interface WebhookStore {
  /** Those that can be opened; one sealed with a key that is gone is left out. */
  list(): readonly StoredWebhook[];
  /** @throws what SQLite throws */
  add(webhook: NewWebhook): StoredWebhook;
  remove(id: number): void;
}

/** Seals a text under the server's key, and opens it; undefined when it was sealed under a key that is gone. */
export interface Sealing {
  seal(text: string): string;
  open(sealed: string): string | undefined;
}

interface Row {
  readonly id: number;
  readonly account: string | null;
  readonly form: WebhookForm;
  readonly sealed: string;
}

/** Webhooks in the alerts' file. */
export function webhookStore({ database }: AlertStore, sealing: Sealing): WebhookStore {
  database.exec(
    'CREATE TABLE IF NOT EXISTS webhooks (id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT, form TEXT NOT NULL, sealed TEXT NOT NULL)',
  );
  const insert = database.prepare(
    'INSERT INTO webhooks (account, form, sealed) VALUES (?, ?, ?) RETURNING id',
  );
  const reseal = database.prepare('UPDATE webhooks SET sealed = ? WHERE id = ?');
  const remove = database.prepare('DELETE FROM webhooks WHERE id = ?');
  return {
    list() {
      const rows = database.prepare('SELECT id, account, form, sealed FROM webhooks').all();
      return (rows as unknown as readonly Row[]).flatMap(({ id, account, form, sealed }) => {
        const text = sealing.open(sealed);
        if (text === undefined) return [];
        // Under the newest key, so that an older one can go.
        reseal.run(sealing.seal(text), id);
        const { url, secret } = JSON.parse(text) as { url: string; secret?: string };
        return [{ id, account, form, url, ...(secret === undefined ? {} : { secret }) }];
      });
    },
    add(webhook) {
      const { account, form, url, secret } = webhook;
      const sealed = sealing.seal(JSON.stringify({ url, secret }));
      const { id } = insert.get(account, form, sealed) as { id: number };
      return { ...webhook, id };
    },
    remove: (id) => void remove.run(id),
  };
}

/**
 * Messages that wait, in the alerts' file. Those of a webhook that is gone go; those of one that cannot be opened just now
 * stay with it.
 *
 * Made after the webhooks' own table.
 */
export function messageStore({ database }: AlertStore): MessageStore {
  database.exec(`
    CREATE TABLE IF NOT EXISTS messages (
      turn INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, webhook INTEGER NOT NULL, message TEXT NOT NULL);
    DELETE FROM messages WHERE webhook NOT IN (SELECT id FROM webhooks);
  `);
  const put = database.prepare(
    'INSERT INTO messages (id, webhook, message) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET message = excluded.message',
  );
  const remove = database.prepare('DELETE FROM messages WHERE id = ?');
  const waiting = database.prepare('SELECT message FROM messages WHERE webhook = ? ORDER BY turn');
  return {
    waiting: (webhook) =>
      waiting.all(webhook).map(({ message }) => JSON.parse(String(message)) as Message),
    write(changed, gone) {
      database.exec('BEGIN');
      try {
        for (const { webhook, message } of changed) {
          put.run(message.id, webhook, JSON.stringify(message));
        }
        for (const id of gone) remove.run(id);
        database.exec('COMMIT');
      } catch (error) {
        // A full disk has rolled it back already.
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
  };
}
