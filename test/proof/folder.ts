/**
 * A small data folder that the real server has written in several lives, with everything in it that can be damaged: streams
 * with and without waiting lines, plans that were attempted, checkpoints, an archive, several segments, sums and settings.
 */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { lineOf } from '../kill/lines.ts';
import { LOCAL_DESTINATIONS, startServer } from '../support/server.ts';
import type { Server } from '../support/server.ts';
import { makeZones, postLines, until } from './rig.ts';
import type { Receiver } from './rig.ts';

/** What was promised of a stream. */
export interface Promised {
  readonly stream: string;
  readonly zone: string;
  readonly epoch: string;
  /** The line at each offset. */
  readonly lines: readonly string[];
  readonly job: number;
  /** Lines that its job's receiver had taken; they are the first ones. */
  readonly delivered: number;
}

export interface Folder {
  readonly directory: string;
  readonly promised: readonly Promised[];
  readonly token: string;
  readonly operatorToken: string;
}

/** `fast` is delivered all along, `late` from the second life on no more, `dead` never. */
const ZONES = ['fast', 'late', 'dead'] as const;
const LIVES = 3;

export const FOLDER_FLAGS = [
  ...LOCAL_DESTINATIONS,
  '--deliver-interval-ms',
  '200',
  '--process-drain-ms',
  '300',
  // The disk of the machine that tests run on may be nearly full.
  '--buffer-low-watermark',
  '0.97',
  '--buffer-high-watermark',
  '0.98',
];

/**
 * Makes the folder.
 *
 * @param receiver where its jobs deliver, which must stand there as long as the folder is used: its port is part of them
 * @param options `linesPerBody`: how much of everything; `killed`: the last life ends by SIGKILL
 */
export async function makeFolder(
  directory: string,
  receiver: Receiver,
  { bodies, linesPerBody, killed }: { bodies: number; linesPerBody: number; killed: boolean },
): Promise<Folder> {
  const lines = new Map(ZONES.map((zone) => [zone, [] as string[]]));
  const epochs = new Map<string, string>();
  let token = '';
  let operatorToken = '';
  receiver.closed.add('/dead');
  for (let life = 1; life <= LIVES; life++) {
    if (life > 1) receiver.closed.add('/late');
    const server = await startServer({ dataDir: directory, flags: FOLDER_FLAGS });
    operatorToken = server.operatorToken;
    if (life === 1)
      token = await makeZones(
        server,
        ZONES.map((zone) => ({
          account: zone === 'dead' ? 'a2' : 'a1',
          zone,
          destination: `${receiver.url}/${zone}?header_Authorization=secret-${zone}`,
        })),
      );
    for (let n = 0; n < bodies; n++) {
      for (const [index, zone] of ZONES.entries()) {
        const held = lines.get(zone)!;
        const body = Array.from({ length: 1 + (n % linesPerBody) }, (_, line) =>
          lineOf(index, held.length + line),
        );
        const answer = await postLines(server, token, zone, body, randomUUID());
        if (answer.status !== 200) throw new Error(answer.text);
        epochs.set(zone, epochOf(answer.text));
        held.push(...body);
      }
    }
    for (const zone of ZONES)
      if (!receiver.closed.has(`/${zone}`)) await delivered(receiver, zone, lines.get(zone)!);
    await attempted(server, 3);
    // So that a life that is cut short leaves changes in the store's journal.
    for (const account of ['a1', 'a2'])
      await server.call('PUT', `/v1/accounts/${account}`, { name: `${account} in life ${life}` });
    await server.end(killed && life === LIVES ? 'SIGKILL' : 'SIGTERM');
  }
  const promised = ZONES.map((zone, index) => ({
    stream: `zones/${zone}/http_requests`,
    zone,
    epoch: epochs.get(zone)!,
    lines: lines.get(zone)!,
    job: index + 1,
    delivered: receiver.lines.get(`/${zone}`)?.length ?? 0,
  }));
  return { directory, promised, token, operatorToken };
}

function epochOf(answer: string): string {
  return (JSON.parse(answer) as { streams: { epoch: string }[] }).streams[0]!.epoch;
}

async function delivered(
  receiver: Receiver,
  zone: string,
  lines: readonly string[],
): Promise<void> {
  await until(
    `${zone} is delivered`,
    () => (receiver.lines.get(`/${zone}`)?.length ?? 0) === lines.length,
  );
}

/** Waits until a job has tried in vain, so that its plans are open. */
async function attempted(server: Server, job: number): Promise<void> {
  await until('an attempt has failed', async () => {
    const { attempts } = await server.call<{ attempts: unknown[] }>(
      'GET',
      `/v1/jobs/${job}/attempts`,
    );
    return attempts.length > 0;
  });
}

/** All files of a folder by their path within it. */
export async function filesOf(directory: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const name of (await readdir(directory, { recursive: true })).toSorted()) {
    const path = join(directory, name);
    if ((await stat(path)).isFile()) files.set(name, await readFile(path));
  }
  return files;
}

/** Another folder of the same content. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await cp(from, to, { recursive: true, preserveTimestamps: true });
}
