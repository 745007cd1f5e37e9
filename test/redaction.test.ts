/** Marker secrets are planted, and every way out is searched for them; of every kind of destination in the long suite. */
import { test } from 'node:test';
import { plantAndSearch } from './support/planted.ts';

test('no planted secret appears in logs, errors, audit, metrics, answers, command output, or files in clear', (t) =>
  plantAndSearch(t, 'HTTP'));
