/** What lies between two versions, object by object and field by field, from the history. Secrets are never shown. */
import { forAudit } from '../store/change-log.ts';
import type { SealedSecret } from '../store/store.ts';
import type { History } from './history.ts';
import { sealedFromForm } from './line.codec.ts';
import type { ChangeLine } from './line.codec.ts';

/** One object that differs. Null: there was, or is, none. */
export interface ObjectDifference {
  readonly kind: string;
  readonly id: string;
  readonly before: unknown;
  readonly after: unknown;
}

export interface Span {
  readonly objects: readonly ObjectDifference[];
  /** Secrets that were touched in between, as they were sealed before; undefined: there was none. */
  readonly secretsBefore: ReadonlyMap<string, SealedSecret | undefined>;
}

export type SpanRead =
  | { readonly kind: 'span'; readonly span: Span }
  /** The history does not reach back to it, or has a hole: from this version on it is whole. */
  | { readonly kind: 'gone'; readonly oldest: number };

/** What changed from version `from` to `to`, at least as new. */
export async function spanBetween(history: History, from: number, to: number): Promise<SpanRead> {
  const objects = new Map<string, { kind: string; id: string; before: unknown; after: unknown }>();
  const secrets = new Map<string, SealedSecret | undefined>();
  let start = from;
  let next = from + 1;
  for await (const line of history.changes(from + 1, to)) {
    if (line.version !== next) start = line.version - 1;
    next = line.version + 1;
    fold(line, objects, secrets);
  }
  if (next !== to + 1) start = to;
  if (start !== from) return { kind: 'gone', oldest: start };
  const differing = [...objects.values()].filter(
    ({ before, after }) => JSON.stringify(before) !== JSON.stringify(after),
  );
  return { kind: 'span', span: { objects: differing, secretsBefore: secrets } };
}

/** What one change replaced. */
export function spanOf(line: ChangeLine): Span {
  const objects = new Map<string, { kind: string; id: string; before: unknown; after: unknown }>();
  const secretsBefore = new Map<string, SealedSecret | undefined>();
  fold(line, objects, secretsBefore);
  return { objects: [...objects.values()], secretsBefore };
}

function fold(
  line: ChangeLine,
  objects: Map<string, { kind: string; id: string; before: unknown; after: unknown }>,
  secrets: Map<string, SealedSecret | undefined>,
): void {
  for (const { kind, id, before, after } of line.edits) {
    const known = objects.get(`${kind}/${id}`);
    if (known) known.after = after;
    else objects.set(`${kind}/${id}`, { kind, id, before, after });
  }
  for (const { id, before } of line.secrets) {
    if (!secrets.has(id)) secrets.set(id, before ? sealedFromForm(id, before) : undefined);
  }
}

/** A field that differs, by its path: `limits.weight`. Undefined before or after: it is not there. */
export interface FieldDifference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Fields that differ, as an auditor may see them; of an object that is new or gone, all of them. */
export function fieldsBetween(before: unknown, after: unknown): readonly FieldDifference[] {
  const found: FieldDifference[] = [];
  compare('', forAudit(before) ?? undefined, forAudit(after) ?? undefined, found);
  return found;
}

function compare(path: string, before: unknown, after: unknown, found: FieldDifference[]): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  if (!isPlain(before) && !isPlain(after)) {
    found.push({
      path,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    });
    return;
  }
  const left = isPlain(before) ? before : {};
  const right = isPlain(after) ? after : {};
  if (!isPlain(before) && before !== undefined) found.push({ path, before });
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)]))
    compare(path === '' ? key : `${path}.${key}`, left[key], right[key], found);
  if (!isPlain(after) && after !== undefined) found.push({ path, after });
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
