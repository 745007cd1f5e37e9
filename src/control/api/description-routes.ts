/** The API describes itself: for programs and for people. */
import { docsPage, DOCS_POLICY } from './docs-page.ts';
import { openApiOf } from './openapi.ts';
import type { OpenApi } from './openapi.ts';
import { route } from './route.ts';
import type { Route } from './route.ts';

/** The routes given, and with them those that describe all. */
export function described(routes: readonly Route[], version: string): readonly Route[] {
  const all: Route[] = [...routes];
  let made: OpenApi | undefined;
  const api = (): OpenApi => (made ??= openApiOf(all, version));
  all.push(
    route({
      method: 'GET',
      path: '/openapi.json',
      access: 'open',
      answer: { contentType: 'application/json' },
      help: 'Describes this API as OpenAPI 3.1.',
      handle: () => ({
        kind: 'bytes',
        status: 200,
        contentType: 'application/json',
        body: JSON.stringify(api()),
      }),
    }),
    route({
      method: 'GET',
      path: '/docs',
      access: 'open',
      answer: { contentType: 'text/html' },
      help: 'Describes this API as a page.',
      handle: () => ({
        kind: 'bytes',
        status: 200,
        contentType: 'text/html; charset=utf-8',
        body: docsPage(api()),
        headers: { 'content-security-policy': DOCS_POLICY },
      }),
    }),
  );
  return all;
}
