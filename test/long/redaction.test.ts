/** Marker secrets in a job of every kind of destination, and every way out of the real process. */
import { test } from 'node:test';
import { plantAndSearch } from '../support/planted.ts';

test('no secret of any kind of destination appears in logs, errors, audit, metrics, answers, command output, or files in clear', (t) =>
  plantAndSearch(t, 'every kind'));
