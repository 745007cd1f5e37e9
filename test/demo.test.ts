// The demo as a newcomer runs it, shortened: it must say so when all is well. That it does not when something is gone is in test/long.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { runDemo } from './support/demo.ts';

suite('npm run demo', { concurrency: true }, () => {
  test('a kill in mid-stream costs no line, and both books agree (I1, I2, I7)', async () => {
    const { code, said } = await runDemo();
    assert.equal(code, 0, said);
    assert.match(said, /SIGKILL +in mid-stream, with [\d,]+ lines promised/);
    assert.match(said, /restarted +in [\d,]+ ms, recovering all [\d,]+ promised lines/);
    assert.match(said, /✓ Brisk Radio, errors only +[\d,]+ of [\d,]+ pass its filter/);
    assert.match(said, /✓ waybill log check --books/);
    assert.match(said, /✓ waybill ledger/);
    assert.match(said, /promised, one SIGKILL: none lost, none twice, none damaged\./);
    assert.ok(!said.includes('\u001b'), 'no colours and no redrawing when nobody watches');
  });

  test('an option that is none is refused with what there is', async () => {
    const { code, said } = await runDemo('--brake');
    assert.equal(code, 2);
    assert.match(said, /--break +delete one delivered object/);
  });
});
