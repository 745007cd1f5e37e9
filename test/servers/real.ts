/** What tests against servers that we did not write have in common. */
import { after, before, test } from 'node:test';
import { openDestination } from '../../src/destinations/index.ts';
import type { Batch, DestinationTools, SendOutcome } from '../../src/destinations/index.ts';
import { VALID } from './certificates.ts';
import { testDialler } from './dialler.ts';
import { framedBatch } from './framed-batch.ts';
import { startInstalled } from './installed.ts';
import type { Running } from './installed.ts';
import type { Recipe } from './recipes.ts';
import { testTools } from './scripted-rig.ts';

const dialler = testDialler({ ca: [VALID.cert] });
after(() => dialler.close());

export const going = new AbortController().signal;
/** {@link framedBatch} of now. */
export const batchFor = (conf: string, lines: readonly string[], id?: string): Batch =>
  framedBatch(conf, lines, id === undefined ? {} : { id });

/** Sends a batch as a job would, with a sender of its own. */
export async function send(
  conf: string,
  batch: Batch,
  tools: Partial<DestinationTools> = {},
): Promise<SendOutcome> {
  const all = testTools({ ...tools, dialler, responseBytes: 65_536 });
  const sender = await openDestination(conf, all);
  try {
    return await sender.send(batch, going);
  } finally {
    await sender.close();
  }
}

/**
 * Claims about one server; each is skipped, with the reason, where it cannot be had. To be called in a `describe` of the test
 * file, since these tests here name this file as theirs.
 */
export function withServer(
  recipe: Recipe,
  args: (
    port: number,
    folder: string,
    home: string,
  ) => readonly string[] | Promise<readonly string[]>,
  claims: (claim: (name: string, check: (server: Running) => Promise<void>) => void) => void,
): void {
  let server: Running | { skipped: string } = { skipped: 'not started' };
  before(async () => {
    server = await startInstalled(recipe, args);
  });
  after(async () => {
    if (!('skipped' in server)) await server.stop();
  });
  claims((name, check) => {
    test(name, (context) => ('skipped' in server ? context.skip(server.skipped) : check(server)));
  });
}
