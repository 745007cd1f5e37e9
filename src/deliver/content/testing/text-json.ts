/**
 * A second JSON implementation for tests: written apart from the scanner, on characters rather than bytes, whole rather than
 * in one look, and keeping every scalar as its text. Plain and slow on purpose.
 */
export type TextValue =
  | { readonly kind: 'scalar'; readonly text: string }
  | { readonly kind: 'array'; readonly text: string; readonly elements: readonly TextValue[] }
  | { readonly kind: 'object'; readonly text: string; readonly fields: readonly TextField[] };

export interface TextField {
  readonly name: string;
  readonly value: TextValue;
}

/** Parses a text whole; throws when it is not JSON. */
export function parseText(text: string): TextValue {
  const [value, end] = valueAt(text, space(text, 0));
  if (space(text, end) !== text.length) throw new Error(`more at ${end}`);
  return value;
}

const SCALAR =
  // oxlint-disable-next-line no-control-regex -- RFC 8259 keeps exactly these out of strings
  /"(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;

function valueAt(text: string, at: number): [TextValue, number] {
  if (text[at] === '[') {
    const [elements, end] = listAt(text, at, ']', valueAt);
    return [{ kind: 'array', text: text.slice(at, end), elements }, end];
  }
  if (text[at] === '{') {
    const [fields, end] = listAt(text, at, '}', fieldAt);
    return [{ kind: 'object', text: text.slice(at, end), fields }, end];
  }
  const scalar = scalarAt(text, at);
  return [{ kind: 'scalar', text: scalar }, at + scalar.length];
}

function fieldAt(text: string, at: number): [TextField, number] {
  const name = scalarAt(text, at);
  if (name[0] !== '"') throw new Error(`no name at ${at}`);
  const colon = space(text, at + name.length);
  if (text[colon] !== ':') throw new Error(`no colon at ${colon}`);
  const [value, end] = valueAt(text, space(text, colon + 1));
  return [{ name: textOf(name), value }, end];
}

function listAt<T>(
  text: string,
  open: number,
  close: string,
  itemAt: (text: string, at: number) => [T, number],
): [T[], number] {
  const items: T[] = [];
  let at = space(text, open + 1);
  if (text[at] === close) return [items, at + 1];
  for (;;) {
    const [item, end] = itemAt(text, at);
    items.push(item);
    at = space(text, end);
    if (text[at] === close) return [items, at + 1];
    if (text[at] !== ',') throw new Error(`no comma at ${at}`);
    at = space(text, at + 1);
  }
}

function scalarAt(text: string, at: number): string {
  SCALAR.lastIndex = at;
  const found = SCALAR.exec(text)?.[0];
  if (found === undefined) throw new Error(`no value at ${at}`);
  return found;
}

function space(text: string, at: number): number {
  let index = at;
  while (index < text.length && ' \t\r\n'.includes(text[index]!)) index++;
  return index;
}

const LETTERS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

function textOf(string: string): string {
  return string
    .slice(1, -1)
    .replace(/\\(?:u(.{4})|(.))/g, (_all, hex: string | undefined, letter: string) =>
      hex === undefined
        ? (LETTERS[letter] ?? letter)
        : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}
