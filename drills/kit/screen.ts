/**
 * What the watcher sees: events that stay, and below them a part that is drawn anew in place. Without a terminal: plain lines,
 * and now and then how things stand.
 */
import { styleText } from 'node:util';

import type { EventKind, TimelineEvent } from './timeline.ts';

type Style = Parameters<typeof styleText>[0];

/** How often a plain line tells how things stand when there is no terminal. */
const PLAIN_EVERY_MS = 5_000;
const WIDTH = 100;

const SIGNS: Readonly<Record<EventKind, readonly [sign: string, style: Style]>> = {
  did: ['▶', 'cyan'],
  broke: ['✗', 'red'],
  mended: ['✓', 'green'],
  saw: ['·', 'dim'],
  skipped: ['–', 'yellow'],
};

export class Screen {
  readonly #stream: NodeJS.WriteStream;
  readonly #live: boolean;
  readonly #colour: boolean;
  #drawn = 0;
  #part: readonly string[] = [];
  #lastPlainMs = performance.now();

  /** @param stream standard output; standard error when the output is for a script */
  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#live = stream.isTTY === true;
    this.#colour = this.#live && stream.hasColors() && !process.env['NO_COLOR'];
    if (this.#live) stream.write('\u001b[?25l');
  }

  get columns(): number {
    return this.#live ? this.#stream.columns : WIDTH;
  }

  paint(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }

  /** A line that stays. */
  say(line = ''): void {
    this.#stream.write(`${this.#erased()}${line}\n${this.#drawing()}`);
  }

  /** An event, with its text wrapped below itself. */
  event({ atS, kind, what, detail }: TimelineEvent): void {
    const [sign, style] = SIGNS[kind];
    const head = `${this.paint('dim', `${atS.toFixed(1).padStart(6)} s`)}  ${this.paint(style, `${sign} ${what.padEnd(12)}`)}`;
    const indent = 25;
    const [first = '', ...rest] = wrapped(detail, Math.max(40, this.columns - indent));
    this.say(`${head} ${first}`);
    for (const line of rest) this.say(`${' '.repeat(indent - 1)}${line}`);
  }

  /**
   * Draws the moving part anew.
   *
   * @param plain the same in one line, for those without a terminal
   */
  show(part: readonly string[], plain: string): void {
    if (!this.#live) {
      if (performance.now() - this.#lastPlainMs < PLAIN_EVERY_MS) return;
      this.#lastPlainMs = performance.now();
      this.#stream.write(`          ${plain}\n`);
      return;
    }
    this.#part = part;
    // In one write, so that nothing flickers.
    this.#stream.write(`${this.#erased()}${this.#drawing()}`);
  }

  /** Takes the moving part away. */
  settle(): void {
    this.#part = [];
    this.#stream.write(this.#erased());
  }

  /** Gives the terminal back. */
  end(): void {
    this.settle();
    if (this.#live) this.#stream.write('\u001b[?25h');
  }

  #erased(): string {
    const lines = this.#drawn;
    this.#drawn = 0;
    return lines > 0 ? `\u001b[${lines}A\u001b[0J` : '';
  }

  #drawing(): string {
    if (!this.#live || this.#part.length === 0) return '';
    const fitting = this.#part.map((line) => cut(line, this.#stream.columns));
    this.#drawn = fitting.length;
    return `${fitting.join('\n')}\n`;
  }
}

// oxlint-disable-next-line no-control-regex -- that is what colours are made of
const COLOURS = /\u001b\[[\d;]*m/g;

/** A line too wide would break the counting of lines: it loses its colours and its end. */
function cut(line: string, width: number): string {
  const bare = line.replaceAll(COLOURS, '');
  return bare.length > width ? bare.slice(0, width) : line;
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
