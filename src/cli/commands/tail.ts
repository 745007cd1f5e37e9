/** `tail`: a zone's requests as they come in, by Instant Logs. */
import type { Command } from 'commander';
import { systemClock as clock } from '../../lib/clock.ts';
import { clientOf, urlOf, wholeNumber, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import type { ControlClient } from '../control-client.ts';
import type { Output } from '../output.ts';

type Options = Record<string, string | boolean | undefined>;

/** How long to wait before the next try, doubling up to the most. */
const RETRY_MS = 500;
const RETRY_MS_MOST = 10_000;

/** Close codes of a session's end (RFC 6455, section 7.4; from 4000 on our own). */
const ENDED = 1000;
const REVOKED = 1008;
const REPLACED = 4001;

export function addTail(program: Command, context: CliContext): void {
  withConnection(
    program
      .command('tail')
      .description("watch a zone's requests come in, whether a job wants them or not"),
  )
    .requiredOption('--zone <id>', 'the zone')
    .option('--fields <names>', 'fields to show, with commas between them')
    .option('--filter <json>', "Logpush's filter")
    .option('--sample <n>', 'one in so many of those that pass', '1')
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill tail --zone shop\n  $ waybill tail --zone shop --fields ClientIP,EdgeResponseStatus --filter \'{"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}\'\n\nEach line stands for `sampleInterval` requests: more than one when more come in than can be shown. Ctrl-C ends.',
    )
    .action(async (options: Options) => {
      const stop = new AbortController();
      const onInterrupt = () => stop.abort();
      process.once('SIGINT', onInterrupt);
      try {
        await follow(
          clientOf(context, options),
          urlOf(context, options),
          options,
          context.output,
          stop.signal,
        );
      } finally {
        process.off('SIGINT', onInterrupt);
      }
    });
}

/** One session after the other, until it is told to stop or may not go on. */
async function follow(
  client: ControlClient,
  url: string,
  options: Options,
  output: Output,
  stop: AbortSignal,
): Promise<void> {
  const path = `/client/v4/zones/${encodeURIComponent(String(options['zone']))}/logpush/edge/jobs`;
  const wish = {
    kind: 'instant-logs',
    sample: wholeNumber(String(options['sample'])),
    ...(options['fields'] === undefined ? {} : { fields: options['fields'] }),
    ...(options['filter'] === undefined ? {} : { filter: options['filter'] }),
  };
  const begin = async () =>
    (await client.send<{ readonly session_id: string }>('POST', path, wish)).session_id;
  let session: string | undefined = await begin();
  let retryMs = RETRY_MS;
  while (!stop.aborted) {
    let lost = 'no answer from the server';
    try {
      session ??= await begin();
      const end = await listen(sessionUrl(url, session), output, stop);
      if (stop.aborted) return;
      if (end.code === REVOKED || end.code === REPLACED)
        throw new CallFailed(end.reason, EXIT.refused);
      if (end.opened) retryMs = RETRY_MS;
      // A session that has ended, or that the server does not know (any more), is not come back to.
      if (end.code === ENDED || !end.opened) session = undefined;
      lost = end.code === ENDED ? 'the session has ended' : 'the connection is lost';
    } catch (error) {
      if (!(error instanceof CallFailed) || error.exitCode !== EXIT.unreachable) throw error;
    }
    output.note(`waybill: ${lost}; trying again in ${retryMs} ms\n`);
    await clock.sleep(retryMs, stop);
    retryMs = Math.min(retryMs * 2, RETRY_MS_MOST);
  }
}

/** At the server that was called, whatever name it has for itself. */
function sessionUrl(base: string, session: string): URL {
  const url = new URL(`/instant-logs/ws/sessions/${session}`, base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

interface End {
  readonly opened: boolean;
  readonly code: number;
  readonly reason: string;
}

/** Prints what comes until the connection ends. */
function listen(url: URL, output: Output, stop: AbortSignal): Promise<End> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    let opened = false;
    const hangUp = () => socket.close();
    stop.addEventListener('abort', hangUp, { once: true });
    socket.addEventListener('open', () => {
      opened = true;
      output.note('waybill: listening\n');
    });
    socket.addEventListener('message', ({ data }) => output.out(String(data)));
    socket.addEventListener('close', ({ code, reason }) => {
      stop.removeEventListener('abort', hangUp);
      resolve({ opened, code, reason });
    });
  });
}
