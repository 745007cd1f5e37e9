/** ClickHouse over HTTP, one INSERT a batch in the format JSONEachRow. See docs/destinations/clickhouse.md. */
import { problem } from '../conf.ts';
import type { Batch, ConfProblem, SendOutcome } from '../destination.ts';
import { outcomeOf } from '../web-answer.ts';
import { webDestination } from '../web-kind.ts';
import type { Answer } from '../web-kind.ts';
import { meaningOf } from './answers.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const OWN = ['database', 'table', 'user', 'password', 'deduplicate'];

export const clickhouseDestination = webDestination({
  describe: {
    schemes: ['clickhouse'],
    title: 'ClickHouse',
    form: 'clickhouse://<host>[:8443]/?database=<database>&table=<table>&user=<user>&password=<password>[&<setting>=<value>]',
    repeats: 'appends',
    // Below `min_chunk_bytes_for_parallel_parsing` an insert is one block: whole or not at all.
    batchBytes: 10_000_000,
  },
  settings: [
    {
      name: 'database',
      help: 'Absent: the user’s default database.',
      required: false,
      secret: false,
      example: 'logs',
    },
    {
      name: 'table',
      help: 'Columns are found by the names of the fields.',
      required: true,
      secret: false,
      example: 'http_requests',
    },
    { name: 'user', help: 'Absent: default.', required: false, secret: false, example: 'waybill' },
    { name: 'password', help: 'The user’s password.', required: false, secret: true },
    {
      name: 'deduplicate',
      help: 'false: no insert_deduplication_token is sent, for servers before 22.2.',
      required: false,
      secret: false,
      example: 'false',
    },
    {
      name: '*',
      help: 'Any other parameter stays in the URL: a setting of ClickHouse.',
      required: false,
      secret: false,
      example: 'input_format_skip_unknown_fields=1',
    },
  ],
  own: OWN,
  defaultPort: 8443,
  shape(place) {
    const problems: ConfProblem[] = [];
    const { own } = place;
    const database = own.get('database');
    const table = own.get('table') ?? '';
    if (!NAME.test(table)) problems.push(problem('table', 'is needed: letters, digits and `_`'));
    if (database !== undefined && !NAME.test(database))
      problems.push(problem('database', 'must be letters, digits and `_`'));
    const deduplicate = own.get('deduplicate') ?? 'true';
    if (deduplicate !== 'true' && deduplicate !== 'false')
      problems.push(problem('deduplicate', 'must be true or false'));
    const query = place.path.slice(place.pathname.length + 1);
    if (/(^|&)(query|insert_deduplication_token|async_insert)=/.test(query))
      problems.push(
        problem('destination_conf', 'query, tokens and async_insert are set by Waybill'),
      );
    const headers = headersOf(own);
    if (Object.values(headers).some((value) => !/^[\x20-\x7e]*$/.test(value)))
      problems.push(
        problem('password', 'user and password may hold visible ASCII characters only'),
      );
    if (problems.length > 0) return problems;
    const into = database === undefined ? table : `${database}.${table}`;
    const insert = `query=${encodeURIComponent(`INSERT INTO ${into} FORMAT JSONEachRow`)}`;
    const token = deduplicate === 'true' ? `&${TOKEN}=` : '';
    const more = query === '' ? '' : `&${query}`;
    return { path: `${place.pathname}?${insert}${more}${token}`, headers };
  },
  answers: [],
  pathFor(path, batch) {
    return path.endsWith(`&${TOKEN}=`) ? `${path}${encodeURIComponent(batch.id)}` : path;
  },
  judge: judgeException,
});

const TOKEN = 'insert_deduplication_token';

function headersOf(own: ReadonlyMap<string, string>): Record<string, string> {
  const user = own.get('user');
  const password = own.get('password');
  return {
    ...(user === undefined ? {} : { 'x-clickhouse-user': user }),
    ...(password === undefined ? {} : { 'x-clickhouse-key': password }),
  };
}

/** An exception is told in a header, or where that came too early, in the body; also behind a status of success. */
function judgeException(answer: Answer, _batch: Batch, nowMs: number): SendOutcome | undefined {
  const header = answer.headers['x-clickhouse-exception-code'];
  const inBody = /(?:^|\n)Code: (\d+)[.,]/.exec(answer.body.toString('latin1'))?.[1];
  const code = typeof header === 'string' && /^\d+$/.test(header) ? header : inBody;
  if (code === undefined) return undefined;
  return outcomeOf(answer, meaningOf(Number(code)), nowMs, `code ${code}`);
}
