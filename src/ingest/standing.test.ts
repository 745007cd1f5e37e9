import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routeTable } from '../route/index.ts';
import { zoneFinder } from './place.ts';
import { lookUp, Standings } from './standing.ts';
import type { Claim, Standing, TurnedAway } from './standing.ts';
import { sampleSnapshot } from './testing.ts';
import { tokenReader } from './tokens.ts';

const parts = { tokens: tokenReader(10), zones: zoneFinder(10) };

/** Functions are compared by what they answer. */
function shown(found: Standing | TurnedAway): unknown {
  if ('refusal' in found || found.to.kind === 'stream') return found;
  const { resolve, ...to } = found.to;
  const answers = ['z1', 'two.example', 'z3', 'nobody'].map((value) => resolve(value));
  return { ...found, to, answers };
}

const claim: fc.Arbitrary<Claim> = fc.record({
  method: fc.constantFrom('POST', 'POST', 'POST', 'GET'),
  url: fc.constantFrom(
    '/v1/ingest/zones/z1/http',
    '/v1/ingest/zones/z2/http?invalid=quarantine',
    '/v1/ingest/zones/z3/exact',
    '/v1/ingest/accounts/a1/audit',
    '/v1/ingest/http?by=Zone',
    '/v1/ingest/zones/z1/nothing',
    '/v1/ingest/zones/none/http',
    '/v1/ingest/zones/z1/http?by=Zone',
    '/elsewhere',
  ),
  authorization: fc.constantFrom(
    'Bearer secret-a1',
    'bearer  secret-a1 ',
    'Bearer secret-z1',
    'Bearer secret-all',
    'Bearer wrong',
    'Basic secret-a1',
    undefined,
  ),
});

test('what is remembered of target and token is what looking it up says, also across configurations', () => {
  const snapshot = sampleSnapshot();
  const routes = [
    routeTable(snapshot),
    // Later: a token is gone, nobody wants a stream any more, a dataset has become strict.
    routeTable({
      ...snapshot,
      version: 2,
      tokens: snapshot.tokens.filter(({ id }) => id !== 't3'),
      jobs: snapshot.jobs.filter(({ dataset }) => dataset !== 'audit'),
      datasets: snapshot.datasets.map((dataset) => ({ ...dataset, strict: true })),
    }),
  ];
  const asked = fc.array(fc.tuple(claim, fc.nat({ max: 9 })), { minLength: 5, maxLength: 60 });
  fc.assert(
    fc.property(asked, fc.integer({ min: 1, max: 5 }), (steps, most) => {
      const standings = new Standings(parts, most);
      let route = routes[0]!;
      for (const [each, dice] of steps) {
        if (dice === 0) route = routes[1 - routes.indexOf(route)]!;
        assert.deepEqual(shown(standings.find(route, each)), shown(lookUp(route, each, parts)));
        assert.ok(standings.remembered <= most);
      }
    }),
    { numRuns: 200 },
  );
});

test('I5: neither an unknown token nor a refused target is remembered, nor a very long one', () => {
  const route = routeTable(sampleSnapshot());
  const standings = new Standings(parts, 10);
  const find = (url: string, authorization: string | undefined) =>
    standings.find(route, { method: 'POST', url, authorization });
  find('/v1/ingest/zones/z1/http', 'Bearer wrong');
  find('/v1/ingest/zones/z1/http', undefined);
  find('/v1/ingest/zones/none/http', 'Bearer secret-all');
  find(`/v1/ingest/http?by=${'x'.repeat(250)}`, `Bearer ${' '.repeat(300)}secret-all`);
  assert.equal(standings.remembered, 0);
  const first = find('/v1/ingest/zones/z1/http', 'Bearer secret-all');
  assert.equal(find('/v1/ingest/zones/z1/http', 'Bearer secret-all'), first);
  assert.equal(standings.remembered, 1);
});
