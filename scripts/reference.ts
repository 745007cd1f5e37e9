/**
 * Makes the reference pages that are lists of what the code says: settings, errors, limits. `test/reference.test.ts` keeps
 * the committed pages equal to it.
 *
 *   node scripts/reference.ts          writes docs/reference/{configuration,errors,limits}.md
 */
import { writeFileSync } from 'node:fs';
import { NAMED_SETTINGS } from '../src/model/settings.ts';
import type { Setting } from '../src/model/settings.ts';
import { ERRORS } from '../src/model/errors.ts';
import { limits } from '../src/model/limits.ts';

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (...cells: string[]) => `| ${cells.map(cell).join(' | ')} |`;

function range(setting: Setting): string {
  switch (setting.kind) {
    case 'text':
      return 'text';
    case 'choice':
      return setting.among.join(', ');
    case 'whole':
      return `whole number, ${setting.least} to ${setting.most}`;
    case 'share':
      return `${setting.least} to ${setting.most}`;
    case 'switch':
      return 'true or false';
    case 'list':
      return 'list of texts (with commas in flags and environment)';
  }
}

function configuration(): string {
  const sections = [...new Set(NAMED_SETTINGS.map(({ section }) => section))];
  const tables = sections.map((section) => {
    const rows = NAMED_SETTINGS.filter((named) => named.section === section).map(
      ({ key, flag, variable, setting }) =>
        row(
          `\`${key}\``,
          `\`${flag}\`<br>\`${variable}\``,
          setting.default === '' || Array.isArray(setting.default)
            ? '(none)'
            : `\`${String(setting.default)}\``,
          range(setting),
          setting.help,
        ),
    );
    return `## \`${section}\`\n\n| key | flag, variable | default | takes | what |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}`;
  });
  return `# Configuration

Nothing has to be set before the first start. A setting can stand in a YAML file (\`waybill serve -c waybill.yaml\`), in the
environment or on the command line; the command line wins over the environment, which wins over the file. Unknown keys and
bad values are refused at the start with the key, the value and what would be right. \`waybill serve --print-config\` shows
the effective settings.

\`\`\`yaml
data:
  dir: /var/lib/waybill
ingest:
  host: 0.0.0.0
  port: 4510
destinations:
  fileRoots: [/srv/logs]
\`\`\`

This page is made from \`src/model/settings.ts\` by \`node scripts/reference.ts\`.

${tables.join('\n\n')}
`;
}

function errors(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, text }]) =>
    row(`\`${code}\``, String(status), text),
  );
  return `# Errors of \`/v1\` and ingest

A refusal is \`{"error":{"code","message"}}\`, where it helps with \`line\` (1-based line of the body), \`path\` (of a field) and
\`retryAfterS\` (also as \`Retry-After\`). Codes are stable: programs may rest on them, not on the texts. \`/client/v4\` answers
in Logpush's own envelope with numeric codes; see \`control-api.md\`.

This page is made from \`src/model/errors.ts\` by \`node scripts/reference.ts\`.

| code | status | meaning |
| --- | --- | --- |
${rows.join('\n')}
`;
}

function limitsPage(): string {
  const tables = Object.entries(limits).map(([room, bounds]) => {
    const rows = Object.entries(bounds).map(([name, value]) =>
      row(`\`${name}\``, unit(name, Number(value))),
    );
    return `## ${room}\n\n| bound | default |\n| --- | --- |\n${rows.join('\n')}`;
  });
  return `# Limits

Nothing is unlimited (invariant I5). These are the bounds that are on from the first start; the reason of each stands beside
it in \`src/model/limits.ts\`, from which this page is made by \`node scripts/reference.ts\`.

${tables.join('\n\n')}
`;
}

function unit(name: string, value: number): string {
  if (/Ms(Most|Max|Min)?$/.test(name))
    return value >= 60_000
      ? `${value / 60_000} min`
      : value >= 1_000
        ? `${value / 1_000} s`
        : `${value} ms`;
  if (/[bB]ytes/.test(name))
    return value >= 1 << 20
      ? `${value / (1 << 20)} MiB`
      : value >= 1024
        ? `${value / 1024} KiB`
        : `${value} bytes`;
  return value.toLocaleString('en-US');
}

/** The pages by their path from the project's folder. */
export const pages: Readonly<Record<string, () => string>> = {
  'docs/reference/configuration.md': configuration,
  'docs/reference/errors.md': errors,
  'docs/reference/limits.md': limitsPage,
};

if (import.meta.main) for (const [path, page] of Object.entries(pages)) writeFileSync(path, page());
