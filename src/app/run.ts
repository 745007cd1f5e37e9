import { styleText } from 'node:util';
import type { Config } from '../model/settings.ts';
import type { Served } from './serve.ts';
import { keepCompiledCode, makeShardWorker } from './shard-worker.ts';
import { terminal } from './terminal.ts';

const REFUSED = 1;

/**
 * Runs a server until SIGTERM or SIGINT. The first signal drains for up to `drainMs`; a second one ends at once and loses
 * nothing either, because nothing was ever accepted that is not on disk.
 *
 * @returns the process's exit code
 */
export async function serveUntilStopped(config: Config): Promise<number> {
  const { output } = terminal();
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
  return new Promise((resolve) => {
    let stopping = false;
    const stop = () => {
      if (stopping) process.exit(0);
      stopping = true;
      void served.stop().then(() => resolve(0));
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  });
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
