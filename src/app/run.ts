import { styleText } from 'node:util';
import type { Config } from '../model/settings.ts';
import type { Served } from './serve.ts';
import { keepCompiledCode, makeShardWorker } from './shard/order.ts';
import { stopOrder } from './stop-order.ts';
import { terminal } from './terminal.ts';

const REFUSED = 1;

/**
 * Runs a server until SIGTERM or SIGINT. The first signal drains for up to `drainMs`; a second one ends at once and loses
 * nothing either, because nothing was ever accepted that is not on disk. A signal that comes while it starts lets it start first.
 *
 * @returns the process's exit code
 */
export async function serveUntilStopped(config: Config): Promise<number> {
  const { output } = terminal();
  const ordered = stopOrder();
  // First of all: they load while this thread does.
  const workers = Array.from({ length: config.process.shards }, (_, shard) =>
    makeShardWorker(shard),
  );
  const { serve } = await import('./serve.ts');
  const started = await serve(config, workers);
  if (started.kind === 'refused') {
    output.note(`waybill: ${started.detail}\n`);
    return REFUSED;
  }
  const { served } = started;
  output.out(greeting(served, output.colour));
  keepCompiledCode();
  await ordered;
  await served.stop();
  return 0;
}

function greeting(served: Served, colour: boolean): string {
  const bold = (text: string) =>
    colour ? styleText('bold', text, { validateStream: false }) : text;
  const { path, made } = served.operatorToken;
  return [
    `${bold('Waybill is ready.')}`,
    `  Producers send to   ${served.ingestUrl}/v1/ingest/…`,
    `  Control API         ${served.controlUrl}`,
    `  Operator token      ${path}${made ? ' (made just now)' : ''}`,
    '',
  ].join('\n');
}
