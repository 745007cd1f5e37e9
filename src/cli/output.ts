import { styleText } from 'node:util';

/** Where a command writes, and whether people read it there. */
export interface Output {
  /** Results: what a script would take. */
  readonly out: (text: string) => void;
  /** Everything else: progress, hints, errors. */
  readonly note: (text: string) => void;
  /** Whether standard output is a terminal that shows colours. */
  readonly colour: boolean;
  /** Whether standard error is a terminal, where a progress line may be redrawn. */
  readonly live: boolean;
  readonly columns: number;
}

type Style = Parameters<typeof styleText>[0];

export function paint(output: Output, style: Style, text: string): string {
  return output.colour ? styleText(style, text, { validateStream: false }) : text;
}

/** Columns of a table; numbers go to the right. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | null | undefined;
  readonly style?: (row: Row) => Style | undefined;
}

/** A table for people: aligned columns, a header in bold, nothing around it. */
export function table<Row>(
  output: Output,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): string {
  const cells = rows.map((row) => columns.map((column) => cell(column.value(row))));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => line[index]!.text.length)),
  );
  const pad = (text: string, index: number, right: boolean) =>
    right
      ? text.padStart(widths[index]!)
      : index === columns.length - 1
        ? text
        : text.padEnd(widths[index]!);
  const right = columns.map(
    (_column, index) =>
      cells.length > 0 && cells.every((line) => line[index]!.number || line[index]!.text === '-'),
  );
  const header = columns
    .map((column, index) => paint(output, 'bold', pad(column.title, index, right[index]!)))
    .join('  ');
  const lines = cells.map((line, rowIndex) =>
    line
      .map(({ text }, index) => {
        const shown = pad(text, index, right[index]!);
        const style = columns[index]!.style?.(rows[rowIndex]!);
        return style ? paint(output, style, shown) : shown;
      })
      .join('  '),
  );
  return [header, ...lines].join('\n');
}

function cell(value: string | number | null | undefined): { text: string; number: boolean } {
  if (value === null || value === undefined || value === '') return { text: '-', number: false };
  if (typeof value === 'number') return { text: value.toLocaleString('en-US'), number: true };
  return { text: value, number: false };
}

/** `1 stream`, `1,200 streams`. */
export function plural(count: number, one: string): string {
  return `${count.toLocaleString('en-US')} ${one}${count === 1 ? '' : 's'}`;
}

/** `1.2 GB`: decimal units, as bandwidth and disks are sold. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** `3 s`, `4 min`, `2 h`, `5 d`: the largest unit that fits. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}
