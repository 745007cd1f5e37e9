/** What tests against servers that we did not write have in common. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { sampleBatch } from '../../src/destinations/conformance.ts';
import {
  frameLines,
  hasProblems,
  openDestination,
  parseDestination,
} from '../../src/destinations/index.ts';
import type { Batch, DestinationTools, SendOutcome } from '../../src/destinations/index.ts';
import { VALID } from './certificates.ts';
import { testDialler } from './dialler.ts';
import { startInstalled } from './installed.ts';
import type { Running } from './installed.ts';
import type { Recipe } from './recipes.ts';
import { testTools } from './scripted-rig.ts';

const dialler = testDialler({ ca: [VALID.cert] });
after(() => dialler.close());

export const going = new AbortController().signal;
const policy = { allowHttp: true, fileRoots: [] };

/** A batch as delivery makes it for a conf: framed if it wants that. */
export function batchFor(conf: string, lines: readonly string[], id = 'job7-aa-0'): Batch {
  const parsed = parseDestination(conf, policy);
  assert.ok(!hasProblems(parsed), JSON.stringify(parsed));
  const nowMs = Date.now();
  const { framing } = parsed;
  const plain = framing
    ? frameLines(
        framing,
        lines.map((line, offset) => ({
          bytes: Buffer.from(line),
          job: 7,
          epoch: '00000000000000aa',
          offset,
          receivedMs: nowMs,
        })),
      )
    : Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const body = parsed.encoding === 'identity' ? plain : gzipSync(plain);
  return {
    ...sampleBatch(100, id),
    lines: lines.length,
    to: lines.length,
    receivedMs: { first: nowMs, last: nowMs },
    contentType: framing?.contentType ?? 'application/x-ndjson',
    ...(parsed.encoding ? { encoding: parsed.encoding } : {}),
    body: [body],
    bodyBytes: body.length,
    plainBytes: plain.length,
  };
}

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

/** Claims about one server; each is skipped, with the reason, where it cannot be had. */
export function withServer(
  recipe: Recipe,
  args: (
    port: number,
    folder: string,
    home: string,
  ) => readonly string[] | Promise<readonly string[]>,
  claims: (claim: (name: string, check: (server: Running) => Promise<void>) => void) => void,
): void {
  describe(recipe.name, () => {
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
  });
}
