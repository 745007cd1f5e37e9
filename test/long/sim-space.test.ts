import { test } from 'node:test';

import { deadJobWeek } from '../sim/week.ts';

test('one dead job among 1,000 does not hold their disk: a week at ten times the disk', async () => {
  await deadJobWeek({ jobs: 1_000, diskBytes: 40_000_000 });
});
