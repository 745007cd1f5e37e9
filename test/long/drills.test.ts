// Every drill in its short form, through the command line. Each is a rehearsed disaster on real processes.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { listDrills, runDrill } from '../support/drills.ts';

/** november-14 has a test of its own, in the short suite. */
const ELSEWHERE = new Set(['november-14']);

suite('drills', async () => {
  for (const { name, claim } of await listDrills()) {
    if (ELSEWHERE.has(name)) continue;
    test(`${name}: ${claim}`, async (context) => {
      const { code, report, said } = await runDrill(name);
      if (code === 5 && report === undefined) return context.skip(said.trim());
      assert.equal(code, 0, said);
      assert.equal(report?.verdict.kind, 'held');
      assert.equal(report.verdict.lines.lostSilently, 0);
    });
  }

  test('a drill that loses one delivered line is red and names it', async () => {
    const { code, report, said } = await runDrill('kill-9', '--take-away');
    assert.equal(code, 1, said);
    assert.equal(report?.verdict.kind, 'broken');
    assert.equal(report.verdict.lines.lostSilently, 1);
    assert.match(report.verdict.examples.join('\n'), /missing at alder: line \d+/);
  });
});
