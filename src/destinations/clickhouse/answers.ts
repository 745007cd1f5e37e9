/** ClickHouse's exceptions by code (`src/Common/ErrorCodes.cpp`), as data; docs/destinations/clickhouse.md shows the same table. */
import type { Meaning } from '../web-answer.ts';

const retry = (words: string): Meaning => ({ kind: 'retry', words });
const reject = (words: string): Meaning => ({ kind: 'reject', words });

const UNREADABLE = 'a line cannot be read as a row of the table';
const DENIED = 'user or password were not accepted';
const BUSY = 'the server is busy';

export const CODES: Readonly<Record<number, Meaning>> = {
  6: reject(UNREADABLE),
  26: reject(UNREADABLE),
  27: reject(UNREADABLE),
  33: reject(UNREADABLE),
  38: reject(UNREADABLE),
  41: reject(UNREADABLE),
  53: reject(UNREADABLE),
  69: reject(UNREADABLE),
  70: reject(UNREADABLE),
  72: reject(UNREADABLE),
  117: reject(
    'a line has a field that the table has not (input_format_skip_unknown_fields=1 skips it)',
  ),
  349: reject('a line has null where the table takes none'),
  16: retry('the table has no such column'),
  60: retry('there is no such table'),
  81: retry('there is no such database'),
  62: retry('the server does not understand the request'),
  115: retry('the server does not know a setting (deduplicate=false for servers before 22.2)'),
  159: retry('the server did not do it in time'),
  164: retry('the user may only read'),
  192: retry(DENIED),
  193: retry(DENIED),
  194: retry(DENIED),
  202: retry(BUSY),
  209: retry('the server did not get the batch in time'),
  210: retry('the server’s network is in trouble'),
  225: retry('the keeper cannot be reached'),
  241: retry('the server has no memory left for it'),
  242: retry('the table only reads just now'),
  243: retry('the server’s disk is full'),
  252: retry('too many parts: the server merges too slowly'),
  285: retry('too few replicas'),
  319: retry('whether the insert took place is unknown'),
  497: retry('the user may not insert into this table'),
  516: retry(DENIED),
};

export function meaningOf(code: number): Meaning {
  return CODES[code] ?? retry('an error of the server');
}
