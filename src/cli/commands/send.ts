/** `send`: lines from standard input or files to a server, each stored once. */
import { createReadStream, statSync } from 'node:fs';
import type { Command } from 'commander';
import { createProducer } from '../../client/index.ts';
import type { BodyResult, ProducerTotals, Target } from '../../client/index.ts';
import { DEFAULT_INGEST_URL, scopeOf, tokenOf, wholeNumber, withScope } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { bytes, paint } from '../output.ts';
import type { Output } from '../output.ts';

type Options = Record<string, string | boolean | undefined>;

const REDRAW_BYTES = 256 * 1024;
const BAR = 28;

export function addSend(
  program: Command,
  context: CliContext,
  setExit: (code: number) => void,
): void {
  withScope(
    program.command('send [files...]').description('send lines from files or standard input'),
  )
    .requiredOption('--dataset <id>', 'which dataset they are of')
    .option('--by <field>', 'lines of many zones: the field that names the zone')
    .option(
      '--ingest-url <url>',
      `where producers send (WAYBILL_INGEST_URL, else ${DEFAULT_INGEST_URL})`,
    )
    .option('--token <token>', 'ingest token (WAYBILL_TOKEN)')
    .option('--token-file <path>', 'file with the token')
    .option('--compression <none|gzip|zstd>', 'how bodies travel', 'none')
    .option('--connections <n>', 'bodies under way at once', '4')
    .option('--quarantine', 'keep bad lines apart instead of refusing their body')
    .option('--json', 'print the totals as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill send --zone shop --dataset http_requests access.ndjson\n  $ tail -F access.ndjson | waybill send --zone shop --dataset http_requests\n\nEnds with 1 when lines were refused.',
    )
    .action(async (files: readonly string[], options: Options) => {
      const target = targetOf(options);
      const token = tokenOf(context, options as Record<string, string>);
      if (token === undefined)
        throw new CallFailed(
          'give an ingest token with --token, --token-file or WAYBILL_TOKEN',
          EXIT.misuse,
        );
      const compression = String(options['compression']);
      if (compression !== 'none' && compression !== 'gzip' && compression !== 'zstd')
        throw new CallFailed(
          `${compression} is no compression; there are none, gzip and zstd`,
          EXIT.misuse,
        );
      const totalBytes = sizeOf(files);
      const progress = progressLine(context.output, totalBytes);
      const refused: BodyResult[] = [];
      const producer = createProducer({
        url: String(
          options['ingestUrl'] ?? context.environment['WAYBILL_INGEST_URL'] ?? DEFAULT_INGEST_URL,
        ),
        token,
        target,
        compression,
        connections: wholeNumber(String(options['connections'])),
        quarantine: options['quarantine'] === true,
        onResult: (result) => {
          if (result.kind === 'refused' || result.streams.some((stream) => stream.refused))
            refused.push(result);
          progress.draw(producer.totals());
        },
        onRetry: (detail, afterMs) =>
          progress.say(`sending again in ${Math.round(afterMs)} ms: ${detail}`),
      });
      for await (const lines of wholeLines(files, context)) {
        await producer.write(lines);
        progress.read(lines.length, producer.totals());
      }
      await producer.close();
      progress.end();
      const totals = producer.totals();
      if (options['json']) context.output.out(`${JSON.stringify(totals)}\n`);
      else context.output.out(`${summary(totals)}\n`);
      for (const line of refusals(refused))
        context.output.note(`${paint(context.output, 'red', line)}\n`);
      if (totals.refused > 0) setExit(EXIT.problem);
    });
}

function targetOf(options: Options): Target {
  const dataset = String(options['dataset']);
  if (options['by'] !== undefined) return { by: String(options['by']), dataset };
  return { scope: scopeOf(options as { account?: string; zone?: string }), dataset };
}

function sizeOf(files: readonly string[]): number | undefined {
  if (files.length === 0) return undefined;
  try {
    return files.reduce((sum, file) => sum + statSync(file).size, 0);
  } catch (error) {
    throw new CallFailed(`a file cannot be read: ${(error as Error).message}`, EXIT.misuse);
  }
}

/** The inputs in pieces that end with a line's end; an unfinished last line of a file gets its newline. */
async function* wholeLines(files: readonly string[], context: CliContext): AsyncGenerator<Buffer> {
  const inputs =
    files.length === 0
      ? [context.input]
      : files.map((file) => createReadStream(file, { highWaterMark: 1 << 18 }));
  for (const input of inputs) {
    let rest: Buffer = Buffer.alloc(0);
    for await (const piece of input as AsyncIterable<Buffer>) {
      const whole = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      const end = whole.lastIndexOf(10) + 1;
      if (end > 0) yield whole.subarray(0, end);
      rest = whole.subarray(end);
    }
    if (rest.length > 0) yield Buffer.concat([rest, Buffer.from('\n')]);
  }
}

const count = (n: number) => n.toLocaleString('en-US');

function summary(totals: ProducerTotals): string {
  const parts = [`${count(totals.accepted)} of ${count(totals.written)} lines accepted`];
  if (totals.unwanted > 0) parts.push(`${count(totals.unwanted)} unwanted (no job takes them)`);
  if (totals.quarantined > 0) parts.push(`${count(totals.quarantined)} kept apart`);
  if (totals.refused > 0) parts.push(`${count(totals.refused)} refused`);
  if (totals.retries > 0) parts.push(`${count(totals.retries)} bodies sent again`);
  return parts.join(', ');
}

function* refusals(results: readonly BodyResult[]): Generator<string> {
  for (const result of results.slice(0, 5)) {
    if (result.error)
      yield `refused: ${result.error.message}${result.error.line === undefined ? '' : ` (line ${result.error.line} of the body)`} [${result.error.code}]`;
    for (const stream of result.streams)
      if (stream.refused)
        yield `${stream.stream} refused: ${stream.refused.message} [${stream.refused.code}]`;
  }
  if (results.length > 5) yield `and ${results.length - 5} more bodies`;
}

/** One line on a terminal that is drawn anew; nothing elsewhere. */
function progressLine(output: Output, totalBytes: number | undefined) {
  let readBytes = 0;
  let drawn = 0;
  let shown = false;
  const draw = (totals: ProducerTotals) => {
    if (!output.live) return;
    const share = totalBytes ? Math.min(1, readBytes / totalBytes) : undefined;
    const bar =
      share === undefined
        ? ''
        : `${'█'.repeat(Math.round(share * BAR)).padEnd(BAR, '░')} ${String(Math.round(share * 100)).padStart(3)} %  `;
    output.note(
      `\r\u001b[K${bar}${bytes(readBytes)} read, ${count(totals.accepted)} lines accepted`,
    );
    shown = true;
  };
  return {
    draw,
    read(more: number, totals: ProducerTotals) {
      readBytes += more;
      if (readBytes - drawn < REDRAW_BYTES) return;
      drawn = readBytes;
      draw(totals);
    },
    say(text: string) {
      output.note(`${shown ? '\r\u001b[K' : ''}${text}\n`);
    },
    end() {
      if (shown) output.note('\r\u001b[K');
    },
  };
}
