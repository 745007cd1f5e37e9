/** What the items of a `_bulk` answer mean, one for each line in the order of the request. */
import { shortText } from '../answer.ts';
import type { Batch, SendOutcome } from '../destination.ts';
import { fieldOf, jsonOf, outcomeOf } from '../web-answer.ts';
import type { Answer } from '../web-kind.ts';

type Item = 'taken' | 'later' | 'bad';

/** https://www.elastic.co/guide/en/elasticsearch/reference/current/docs-bulk.html; by status, then by kind of error. */
export const ITEM_STATUSES: readonly {
  readonly from: number;
  readonly to: number;
  readonly item: Item;
}[] = [
  { from: 200, to: 299, item: 'taken' },
  // The line stands there already: an earlier attempt brought it.
  { from: 409, to: 409, item: 'taken' },
  // Mapping and parsing: the line does not fit the index.
  { from: 400, to: 400, item: 'bad' },
  { from: 413, to: 413, item: 'bad' },
  { from: 100, to: 999, item: 'later' },
];

/** Errors of status 400 that say nothing about the line. */
export const LATER_ERRORS: Readonly<Record<string, string>> = {
  invalid_index_name_exception: 'the name is not that of an index',
  index_closed_exception: 'the index is closed',
};

/** Words for what an item is put off for. */
const WORDS: Readonly<Record<number, string>> = {
  401: 'the credentials were not accepted',
  403: 'the credentials do not permit this, or the index takes no writes just now',
  404: 'there is no such index, and it is not made by itself',
  429: 'the cluster is busy, or its disk is full',
};

/** The beginning of an answer, which says whether there is anything to look for. */
const CLEAN = /^\s*\{\s*("took"\s*:\s*\d+\s*,\s*)?"errors"\s*:\s*false/;

export function judgeBulk(answer: Answer, batch: Batch, nowMs: number): SendOutcome | undefined {
  if (answer.status < 200 || answer.status > 299) return undefined;
  const parsed = jsonOf(answer);
  if (fieldOf(parsed, 'errors') === false || CLEAN.test(answer.body.toString('latin1', 0, 200)))
    return outcomeOf(answer, { kind: 'accepted', words: '' }, nowMs);
  const items = fieldOf(parsed, 'items');
  if (fieldOf(parsed, 'errors') !== true || !Array.isArray(items)) {
    const words = 'the answer is not one of _bulk, or was cut: what became of the lines is unknown';
    return outcomeOf(answer, { kind: 'retry', words }, nowMs);
  }
  return judgeItems(answer, items, batch, nowMs);
}

function judgeItems(
  answer: Answer,
  items: readonly unknown[],
  batch: Batch,
  nowMs: number,
): SendOutcome {
  if (items.length !== batch.lines) {
    const words = 'the answer speaks of another number of lines than were sent';
    return outcomeOf(answer, { kind: 'retry', words }, nowMs);
  }
  const refused: number[] = [];
  let firstError = '';
  for (const [index, item] of items.entries()) {
    const { status, type } = readItem(item);
    const meaning = meaningOf(status, type);
    if (meaning === 'later') {
      const words = LATER_ERRORS[type] ?? WORDS[status] ?? 'some lines were not taken just now';
      return outcomeOf({ ...answer, status }, { kind: 'retry', words }, nowMs, type || undefined);
    }
    if (meaning === 'taken') continue;
    refused.push(index);
    firstError ||= type;
  }
  const named = firstError === '' ? '' : ` (${shortText(firstError, 64)})`;
  const reason = `${refused.length} of ${items.length} lines do not fit the index${named}`;
  const { status } = answer;
  if (refused.length === 0) return outcomeOf(answer, { kind: 'accepted', words: '' }, nowMs);
  if (refused.length === items.length) return { kind: 'reject', reason, status };
  return { kind: 'partial', receipt: `status ${status}`, status, refused, reason };
}

/** `{"create": {"status": 400, "error": {"type": "..."}}}` */
function readItem(item: unknown): { readonly status: number; readonly type: string } {
  const action = fieldOf(item, 'create') ?? fieldOf(item, 'index');
  const status = fieldOf(action, 'status');
  const type = fieldOf(fieldOf(action, 'error'), 'type');
  return {
    status: typeof status === 'number' ? status : 0,
    type: typeof type === 'string' ? type : '',
  };
}

function meaningOf(status: number, type: string): Item {
  if (status === 400 && Object.hasOwn(LATER_ERRORS, type)) return 'later';
  return ITEM_STATUSES.find(({ from, to }) => status >= from && status <= to)?.item ?? 'later';
}
