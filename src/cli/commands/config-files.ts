/**
 * Reads a configuration from YAML files: each whole or not at all. `expect` has to stand last, so that a file that was cut
 * off anywhere lacks it; what is wrong is said with file and line.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isMap, isNode, LineCounter, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';
import { configDocument, notWhole } from '../../model/config-document.ts';
import type { ConfigDocument } from '../../model/config-document.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { filledIn } from './config-secrets.ts';

/** One file, read and checked. */
interface ConfigFile {
  readonly path: string;
  readonly yaml: Document.Parsed;
  readonly lines: LineCounter;
  readonly document: ConfigDocument;
}

export interface ReadConfig {
  /** What all files say together, with secrets filled in. */
  readonly document: ConfigDocument;
  readonly files: number;
  /** Where something of the document stands: `acme.yaml:12`; undefined when nothing there is known. */
  readonly place: (path: string) => string | undefined;
}

/**
 * Reads files and folders (their `.yaml`, `.yml` and `.json` files).
 *
 * @throws CallFailed with file, line, what is wrong and what would be right
 */
export function readConfig(
  paths: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ReadConfig {
  const files = paths.flatMap(filesAt).map((path) => readFile(path, environment));
  checkTogether(files);
  const documents = files.map(({ document }) => document);
  const accounts = documents.flatMap((one) => one.accounts);
  const datasets = documents.flatMap((one) => one.datasets);
  const sum = (what: 'accounts' | 'jobs') =>
    documents.reduce((total, { expect }) => total + expect[what], 0);
  const document: ConfigDocument = {
    waybill: 1,
    complete: documents.some(({ complete }) => complete),
    datasets,
    accounts,
    expect: { accounts: sum('accounts'), jobs: sum('jobs') },
  };
  return { document, files: files.length, place: (path) => placeIn(files, path) };
}

function filesAt(path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => /\.(ya?ml|json)$/.test(name));
    if (names.length === 0)
      throw new CallFailed(
        `${path}: there is no .yaml, .yml or .json file in this folder`,
        EXIT.misuse,
      );
    return names.toSorted().map((name) => join(path, name));
  } catch (error) {
    if (error instanceof CallFailed) throw error;
    throw new CallFailed(`${path}: cannot be read: ${(error as Error).message}`, EXIT.misuse);
  }
}

function readFile(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigFile {
  const lines = new LineCounter();
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    throw new CallFailed(
      `${path}: cannot be read as UTF-8: ${(error as Error).message}`,
      EXIT.misuse,
    );
  }
  const found = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true });
  const wrong = (line: number, message: string): never => {
    throw new CallFailed(`${path}:${line}: ${message}`, EXIT.misuse);
  };
  if (!Array.isArray(found) || found.length === 0)
    return wrong(1, 'the file is empty; it begins with `waybill: 1` and ends with `expect`');
  const [yaml, second] = found as Document.Parsed[];
  if (second)
    return wrong(
      lines.linePos(second.range[0]).line,
      'a second document begins here; write one document per file, so that a file cut off between two is noticed',
    );
  const [broken] = [...yaml!.errors, ...yaml!.warnings];
  if (broken) return wrong(lines.linePos(broken.pos[0]).line, broken.message.split('\n')[0]!);
  if (!isMap(yaml!.contents))
    return wrong(
      1,
      'the file is not a mapping; it begins with `waybill: 1` and ends with `expect`',
    );
  const last = yaml!.contents.items.at(-1);
  if (String(last?.key) !== 'expect') {
    const line = lines.linePos(text.trimEnd().length).line;
    return wrong(
      line,
      yaml!.has('expect')
        ? '`expect` has to be the last entry, so that a file cut off anywhere is noticed'
        : '`expect` is missing: the file was cut off, or needs a last line such as `expect: { accounts: 1, jobs: 2 }`',
    );
  }
  const file = { path, yaml: yaml!, lines };
  const parsed = configDocument.safeParse(plain(yaml!, wrong));
  if (!parsed.success) {
    const { issues } = parsed.error;
    // A misspelt name shows as one too many and one too few: the first says more.
    const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
    const at = issue?.path.map(String) ?? [];
    const [unknown] = issue?.code === 'unrecognized_keys' ? issue.keys : [];
    const more = unknown === undefined ? at : [...at, unknown];
    const message = issue?.message.endsWith('received undefined')
      ? 'is missing'
      : (issue?.message ?? 'is not valid');
    const what =
      unknown === undefined
        ? `\`${at.join('.')}\`: ${message}`
        : `\`${unknown}\` is not known here`;
    return wrong(lineOf(file, more), what);
  }
  const short = notWhole(parsed.data);
  if (short !== undefined) return wrong(lineOf(file, ['expect']), short);
  const document = filledIn(parsed.data, {
    folder: dirname(resolve(path)),
    environment,
    refuse: (at, message) => wrong(lineOf(file, at), message),
  });
  return { ...file, document };
}

function plain(yaml: Document.Parsed, wrong: (line: number, message: string) => never): unknown {
  try {
    // Few aliases are worth their while in a configuration; many are a bomb.
    return yaml.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return wrong(1, (error as Error).message);
  }
}

/** Several files are one document: nothing stands in two of them, and none of them is missing. */
function checkTogether(files: readonly ConfigFile[]): void {
  const places = new Map<string, string>();
  for (const file of files) {
    file.document.accounts.forEach(({ id }, index) => {
      const here = `${file.path}:${lineOf(file, ['accounts', String(index), 'id'])}`;
      const before = places.get(id);
      if (before !== undefined)
        throw new CallFailed(`${here}: account ${id} stands in ${before} already`, EXIT.misuse);
      places.set(id, here);
    });
    const { expect, complete } = file.document;
    const line = `${file.path}:${lineOf(file, ['expect'])}`;
    if (expect.files !== undefined && expect.files !== files.length)
      throw new CallFailed(
        `${line}: \`expect\` declares ${expect.files} files, and ${files.length} were given`,
        EXIT.misuse,
      );
    if (complete && files.length > 1 && expect.files === undefined)
      throw new CallFailed(
        `${line}: with \`complete: true\` in one of several files, its \`expect\` has to say how many files there are: \`files: ${files.length}\``,
        EXIT.misuse,
      );
  }
}

function placeIn(files: readonly ConfigFile[], path: string): string | undefined {
  const [list, index, ...rest] = path.split('.');
  if (list !== 'accounts' && list !== 'datasets') return undefined;
  let left = Number(index);
  for (const file of files) {
    const size = file.document[list].length;
    if (left < size) return `${file.path}:${lineOf(file, [list, String(left), ...rest])}`;
    left -= size;
  }
  return undefined;
}

/** The line of the deepest part of a path that stands in the file. */
function lineOf(file: Pick<ConfigFile, 'yaml' | 'lines'>, path: readonly string[]): number {
  for (let length = path.length; length > 0; length--) {
    const steps = path.slice(0, length).map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    const parent = file.yaml.getIn(steps.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => String(key) === String(steps.at(-1)))
      : undefined;
    const node = pair && isNode(pair.key) ? pair.key : file.yaml.getIn(steps, true);
    if (isNode(node) && node.range) return file.lines.linePos(node.range[0]).line;
  }
  return 1;
}
