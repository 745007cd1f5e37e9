/**
 * Holds what a server said against what it had put on stable storage before: I1 for the answers to producers, I7 for plans.
 *
 * A trace of its system calls says when it wrote, synced and spoke; its segment files say where the lines of an answer and
 * the plan of an attempt stand.
 */
import { Durability } from './durable.ts';
import type { LogPlaces, Place } from './segments.ts';
import { bytesOf, descriptorOf } from './strace.ts';
import type { SystemCall } from './strace.ts';

export interface SyncTruth {
  /** Answers to producers with 2xx, and lines accepted by them. */
  readonly answers: number;
  readonly lines: number;
  /** Attempts whose first byte was seen, repeats included. */
  readonly attempts: number;
  /** What was said before it was true. */
  readonly lies: readonly string[];
}

interface Said {
  /** Line of the trace where the call began that carried its first byte. */
  readonly at: number;
  readonly text: string;
}

/**
 * @param ports where the server takes lines, and where its destination listens
 * @param places what its log holds afterwards
 */
export function checkSyncTruth(
  calls: readonly SystemCall[],
  places: LogPlaces,
  ports: { readonly ingest: number; readonly destination: number },
): SyncTruth {
  const durability = new Durability(calls);
  const lies: string[] = [];
  const hold = (what: string, at: number, place: Place | undefined) => {
    const missing = place
      ? durability.missing(place.path, place.from, place.to, at)
      : 'it stands nowhere in the log';
    if (missing !== undefined) lies.push(`line ${at + 1}: ${what}: ${missing}`);
  };

  let lines = 0;
  const answers = messages(calls, (own) => own === ports.ingest, /HTTP\/1\.1 2\d\d /g);
  for (const { at, text } of answers) {
    for (const { epoch, offsets } of storedStreams(text)) {
      const what = `lines ${offsets.from} to ${offsets.to} of ${epoch} were answered`;
      lines += offsets.to - offsets.from;
      let next = offsets.from;
      while (next < offsets.to) {
        const block = places.blocks.find(
          (each) => each.epoch === epoch && each.first <= next && next < each.first + each.lines,
        );
        hold(what, at, block);
        next = block ? block.first + block.lines : offsets.to;
      }
    }
  }

  const attempts = messages(
    calls,
    (_own, other) => other === ports.destination,
    /POST \S+ HTTP\/1\.1\r\n/g,
  );
  for (const { at, text } of attempts) {
    const id = /\r\nidempotency-key: ([^\r]+)/i.exec(text)?.[1] ?? '';
    hold(`batch ${id} was sent`, at, places.plans.get(id));
  }
  return { answers: answers.length, lines, attempts: attempts.length, lies };
}

/** Messages that the server wrote on TCP connections, each from its head up to the next one. */
function messages(
  calls: readonly SystemCall[],
  isWanted: (ownPort: number, otherPort: number) => boolean,
  head: RegExp,
): Said[] {
  const connections = new Map<string, { text: string; pieces: { from: number; at: number }[] }>();
  for (const call of calls.toSorted((a, b) => a.begun - b.begun)) {
    const ends = /^TCP(?:v6)?:\[.*:(\d+)->.*:(\d+)\]$/.exec(descriptorOf(call) ?? '');
    if (!ends || !isWanted(Number(ends[1]), Number(ends[2]))) continue;
    const connection = connections.get(ends[0]) ?? { text: '', pieces: [] };
    connections.set(ends[0], connection);
    connection.pieces.push({ from: connection.text.length, at: call.begun });
    connection.text += bytesOf(call).text;
  }
  return [...connections.values()].flatMap(({ text, pieces }) => {
    const heads = [...text.matchAll(head)].map(({ index }) => index);
    return heads.map((from, n) => ({
      at: pieces.findLast((piece) => piece.from <= from)!.at,
      text: text.slice(from, heads[n + 1]),
    }));
  });
}

interface StoredStream {
  readonly epoch: string;
  readonly offsets: { readonly from: number; readonly to: number };
}

/** The streams that an answer says it has stored lines of. */
function storedStreams(answer: string): StoredStream[] {
  const bytes = Number(/\r\ncontent-length: (\d+)/i.exec(answer)?.[1]);
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4).slice(0, bytes);
  if (!(body.length === bytes))
    throw new Error(`an answer is not whole in the trace: ${answer.slice(0, 200)}`);
  const { streams = [] } = JSON.parse(body) as { streams?: readonly Partial<StoredStream>[] };
  return streams.filter((stream): stream is StoredStream => stream.offsets !== undefined);
}
