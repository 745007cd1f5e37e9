/** The description of the API as a page for people: plain HTML, no script, nothing fetched from elsewhere. */
import type { Content, OpenApi, Operation } from './openapi.ts';

const STYLE = `
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f24;background:#fff}
code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f4f5f7;padding:.75rem;overflow:auto}
h2{margin-top:2.5rem}section{border-top:1px solid #d5d8dc;padding:.5rem 0}
h3{margin:.5rem 0;font-weight:600}h3 code{font-size:15px}
table{border-collapse:collapse;margin:.5rem 0}td,th{border:1px solid #d5d8dc;padding:.2rem .6rem;text-align:left;vertical-align:top}
summary{cursor:pointer}
@media (prefers-color-scheme:dark){body{color:#e6e8eb;background:#15181c}pre{background:#20252b}td,th,section{border-color:#3a4149}a{color:#7db3ff}}
`;

/** What the page may load: its own style and nothing else. */
export const DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** Renders a description. */
export function docsPage(api: OpenApi): string {
  const title = escape(String(api.info['title']));
  const parts = api.tags.map(({ name, description }) => {
    const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => operation.tags.includes(name))
        .map(([method, operation]) => operationHtml(method.toUpperCase(), path, operation)),
    );
    return `<h2 id="${escape(name)}">${escape(name)}</h2><p>${escape(description)}</p>${operations.join('')}`;
  });
  const schemas = Object.entries(api.components.schemas).map(
    ([name, schema]) =>
      `<section id="schema-${escape(name)}"><h3>${escape(name)}</h3>${schemaHtml(schema)}</section>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head><body><h1>${title}</h1><p>Version ${escape(String(api.info['version']))}. The same for programs: <a href="/openapi.json">/openapi.json</a>.</p><nav>${api.tags.map(({ name }) => `<a href="#${escape(name)}">${escape(name)}</a>`).join(' · ')} · <a href="#schemas">schemas</a></nav>${parts.join('')}<h2 id="schemas">schemas</h2>${schemas.join('')}</body></html>`;
}

function operationHtml(method: string, path: string, operation: Operation): string {
  const parameters = operation.parameters.map(
    ({ name, in: where, required, description, schema }) =>
      `<tr><td><code>${escape(name)}</code></td><td>${where}${required ? '' : ', optional'}</td><td>${escape(description ?? '')}</td><td>${inline(schema)}</td></tr>`,
  );
  const table =
    parameters.length === 0
      ? ''
      : `<table><tr><th>parameter</th><th>where</th><th></th><th>form</th></tr>${parameters.join('')}</table>`;
  const body = operation.requestBody
    ? `<details><summary>Body</summary>${contentHtml(operation.requestBody.content)}</details>`
    : '';
  const answers = Object.entries(operation.responses).map(
    ([status, { content }]) =>
      `<details><summary>${status === 'default' ? 'Refusals' : `Answer ${status}`}</summary>${contentHtml(content)}</details>`,
  );
  return `<section id="${escape(operation.operationId)}"><h3><code>${method} ${escape(path)}</code></h3><p>${escape(operation.summary)} ${escape(operation.description)}</p>${table}${body}${answers.join('')}</section>`;
}

function contentHtml(content: Content): string {
  return Object.entries(content)
    .map(([type, { schema }]) => `<p><code>${escape(type)}</code></p>${schemaHtml(schema)}`)
    .join('');
}

function schemaHtml(schema: unknown): string {
  const text = escape(JSON.stringify(schema, null, 2));
  const linked = text.replaceAll(
    /#\/components\/schemas\/(\w+)/g,
    '<a href="#schema-$1">#/components/schemas/$1</a>',
  );
  return `<pre>${linked}</pre>`;
}

function inline(schema: unknown): string {
  return `<code>${escape(JSON.stringify(schema))}</code>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
