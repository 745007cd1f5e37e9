/**
 * `record_template`: the part of Go's text/template that Logpush offers. Text stands for itself; `{{ .Field }}` is a field's
 * value as JSON; a constant in quotes or backquotes stands for its text; `{{/* a comment *}}` for nothing. A dash inside the
 * braces trims white space on its side, as in Go: `{{- .Field -}}`.
 *
 * Format: https://pkg.go.dev/text/template ("Text and spaces", "Actions"), strings as in the Go specification.
 */

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'field'; readonly name: string };

export type ParsedTemplate =
  | { readonly kind: 'template'; readonly parts: readonly TemplatePart[] }
  /** `at`: 1-based line and column in characters, as `2:17`. */
  | { readonly kind: 'invalid'; readonly at: string; readonly message: string };

const OPEN = '{{';
const CLOSE = '}}';

/** Parses a template, or says what is wrong and where. */
export function parseRecordTemplate(template: string): ParsedTemplate {
  const parts: TemplatePart[] = [];
  const addText = (text: string): void => {
    if (text !== '') parts.push({ kind: 'text', text });
  };
  let at = 0;
  let trimNext = false;
  while (at < template.length) {
    const open = template.indexOf(OPEN, at);
    const text = template.slice(at, open < 0 ? template.length : open);
    const start = trimNext ? trimStart(text) : text;
    if (open < 0) {
      addText(start);
      break;
    }
    const action = readAction(template, open);
    if ('message' in action)
      return { kind: 'invalid', at: place(template, action.at), message: action.message };
    addText(action.trimBefore ? trimEnd(start) : start);
    if (action.part?.kind === 'text') addText(action.part.text);
    else if (action.part) parts.push(action.part);
    trimNext = action.trimAfter;
    at = action.end;
  }
  return { kind: 'template', parts };
}

interface Action {
  readonly part: TemplatePart | undefined;
  readonly trimBefore: boolean;
  readonly trimAfter: boolean;
  readonly end: number;
}

interface Fault {
  readonly at: number;
  readonly message: string;
}

const COMMENT = /\{\{(- )?\/\*[^]*?\*\/( -)?\}\}/y;
const FIELD = /\.[\p{L}_][\p{L}\p{Nd}_]*/uy;
const QUOTED = /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y;
/** White space as Go's templates know it. */
const SPACE = /[ \t\r\n]*/y;
const WORD = /[^\s}]+/y;

function readAction(template: string, open: number): Action | Fault {
  const comment = matchAt(COMMENT, template, open);
  if (comment) {
    return {
      part: undefined,
      trimBefore: comment[1] !== undefined,
      trimAfter: comment[2] !== undefined,
      end: open + comment[0].length,
    };
  }
  let at = open + OPEN.length;
  if (template.startsWith('/*', at))
    return { at: open, message: 'the comment does not end with */}}' };
  const trimBefore = /^-[ \t\r\n]/.test(template.slice(at, at + 2));
  if (trimBefore) at += 2;
  at += lengthAt(SPACE, template, at);
  const operand = readOperand(template, at);
  if ('message' in operand) return operand;
  at = operand.end + lengthAt(SPACE, template, operand.end);
  const trimAfter = at > operand.end && template.startsWith(`-${CLOSE}`, at);
  if (trimAfter) at++;
  if (!template.startsWith(CLOSE, at)) {
    const message =
      at < template.length
        ? 'expected }}; only one field or constant may stand here'
        : '}} is missing';
    return { at, message };
  }
  return { part: operand.part, trimBefore, trimAfter, end: at + CLOSE.length };
}

function readOperand(template: string, at: number): { part: TemplatePart; end: number } | Fault {
  const field = matchAt(FIELD, template, at)?.[0];
  if (field !== undefined)
    return { part: { kind: 'field', name: field.slice(1) }, end: at + field.length };
  const quoted = matchAt(QUOTED, template, at)?.[0];
  if (quoted !== undefined) {
    const text = quoted.startsWith('`')
      ? quoted.slice(1, -1).replaceAll('\r', '')
      : unquote(quoted);
    if (text === undefined)
      return { at, message: 'the constant holds an escape that is not known' };
    return { part: { kind: 'text', text }, end: at + quoted.length };
  }
  if (template[at] === '"' || template[at] === '`')
    return { at, message: 'the constant does not end' };
  const word = matchAt(WORD, template, at)?.[0];
  if (word === undefined)
    return { at, message: 'expected a field (.Name) or a constant in quotes' };
  return {
    at,
    message: `${JSON.stringify(word.slice(0, 64))} is not offered; only fields (.Name), constants and comments are`,
  };
}

const GO_ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([^]))/g;
const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** The text of a Go string in quotes; undefined when an escape is wrong, or stands for a byte that is no character. */
function unquote(quoted: string): string | undefined {
  let broken = false;
  const text = quoted
    .slice(1, -1)
    .replace(
      GO_ESCAPE,
      (_all, hex?: string, short?: string, long?: string, octal?: string, simple?: string) => {
        const code =
          simple === undefined
            ? Number.parseInt(hex ?? short ?? long ?? octal ?? '', octal === undefined ? 16 : 8)
            : -1;
        const isByte = hex !== undefined || octal !== undefined;
        const isCharacter =
          code <= (isByte ? 0x7f : 0x10_ff_ff) && !(code >= 0xd8_00 && code <= 0xdf_ff);
        const known =
          simple === undefined
            ? isCharacter
              ? String.fromCodePoint(code)
              : undefined
            : SIMPLE[simple];
        broken ||= known === undefined;
        return known ?? '';
      },
    );
  return broken ? undefined : text;
}

const trimStart = (text: string): string => text.replace(/^[ \t\r\n]+/, '');

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ' \t\r\n'.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function lengthAt(pattern: RegExp, text: string, at: number): number {
  return matchAt(pattern, text, at)?.[0].length ?? 0;
}

function place(template: string, at: number): string {
  const lines = template.slice(0, at).split('\n');
  return `${lines.length}:${lines.at(-1)!.length + 1}`;
}
