/**
 * The table of routes in `docs/reference/control-api.md` is the one that the server walks.
 *
 * To write it anew: `WAYBILL_TEST_WRITE_DOCS=1 node --test src/control/api/docs.test.ts`.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { allRoutes } from '../control.ts';
import type { Context } from './context.ts';
import type { Access, Route } from './route.ts';

const page = resolve(import.meta.dirname, '../../../docs/reference/control-api.md');

function who(access: Access): string {
  if (typeof access === 'object') return `\`${access.scope}\``;
  return access === 'open' ? 'everybody' : access;
}

/** One row per route; the two kinds of scope stand together. */
function tableOf(routes: readonly Route[]): string {
  const rows = new Set<string>();
  for (const { method, path, access, help } of routes) {
    const twin = path.replace('/zones/:zone', '/accounts/:account');
    const both =
      twin !== path && routes.some((other) => other.path === twin && other.help === help);
    const isTwin = routes.some(
      (other) =>
        other.help === help &&
        other.path === path.replace('/accounts/:account', '/zones/:zone') &&
        other.path !== path,
    );
    const shown = (both ? twin : path).replace(
      '/accounts/:account',
      both || isTwin ? '/{accounts\\|zones}/{id}' : '/accounts/{id}',
    );
    rows.add(
      `| ${method} | \`${shown.replace('/zones/:zone', '/zones/{id}').replaceAll(/:(\w+)/g, '{$1}')}\` | ${who(access)} | ${help} |`,
    );
  }
  return ['| method | path | who | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

test('the documented routes are the routes', () => {
  // Making the table calls no handler, so nothing of the context is used.
  const table = tableOf(allRoutes({} as unknown as Context));
  const text = readFileSync(page, 'utf8');
  const between = /(<!-- routes:[^>]*-->\n)([^]*?)(<!-- end of routes -->)/;
  if (process.env['WAYBILL_TEST_WRITE_DOCS'])
    writeFileSync(page, text.replace(between, `$1${table}\n$3`));
  else assert.equal(between.exec(text)?.[2]?.trim(), table);
});
