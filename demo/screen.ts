/** What the watcher sees: lines that stay, and below them a part that is drawn anew in place. Without a terminal: plain lines. */
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** How often a plain line tells where things stand when there is no terminal. */
const PLAIN_EVERY_MS = 2_000;

export class Screen {
  readonly live: boolean;
  readonly #colour: boolean;
  readonly #startMs = performance.now();
  #drawn = 0;
  #lastPlainMs = 0;
  #part: readonly string[] = [];

  constructor() {
    const { stdout } = process;
    this.live = stdout.isTTY === true;
    this.#colour = this.live && stdout.hasColors() && !process.env['NO_COLOR'];
    if (this.live) stdout.write('\u001b[?25l');
  }

  paint(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1_000;
  }

  /** A line that stays. */
  say(line = ''): void {
    process.stdout.write(`${this.#erased()}${line}\n${this.#drawing()}`);
  }

  /** A step of the demo, with its time. */
  step(sign: string, what: string, detail: string, style: Style = 'green'): void {
    const at = `${this.seconds.toFixed(1).padStart(5)} s`;
    const head = this.paint(style, `${sign} ${what.padEnd(10)}`);
    this.say(`${this.paint('dim', at)}  ${head} ${detail}`);
  }

  /**
   * Draws the moving part anew.
   *
   * @param plain the same in one line, for those without a terminal, now and then
   */
  show(part: readonly string[], plain: string): void {
    if (!this.live) {
      if (this.seconds * 1_000 - this.#lastPlainMs < PLAIN_EVERY_MS) return;
      this.#lastPlainMs = this.seconds * 1_000;
      process.stdout.write(`${this.seconds.toFixed(1).padStart(5)} s    ${plain}\n`);
      return;
    }
    this.#part = part;
    // In one write, so that nothing flickers.
    process.stdout.write(`${this.#erased()}${this.#drawing()}`);
  }

  /** Leaves the moving part as it is; what follows stands below it. */
  settle(): void {
    this.#drawn = 0;
    this.#part = [];
  }

  /** Gives the terminal back. */
  end(): void {
    if (this.live) process.stdout.write('\u001b[?25h');
  }

  #erased(): string {
    const lines = this.#drawn;
    this.#drawn = 0;
    return lines > 0 ? `\u001b[${lines}A\u001b[0J` : '';
  }

  #drawing(): string {
    if (!this.live || this.#part.length === 0) return '';
    const width = process.stdout.columns;
    const fitting = this.#part.map((line) => (visible(line) > width ? cut(line, width) : line));
    this.#drawn = fitting.length;
    return `${fitting.join('\n')}\n`;
  }
}

// oxlint-disable-next-line no-control-regex -- that is what colours are made of
const COLOURS = /\u001b\[[\d;]*m/g;

function visible(line: string): number {
  return line.replaceAll(COLOURS, '').length;
}

/** A line too wide would break the counting of lines: it loses its colours and its end. */
function cut(line: string, width: number): string {
  return line.replaceAll(COLOURS, '').slice(0, width);
}

export function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}
