/**
 * The answer that nearly every request gets: all of its lines are accepted, by one stream.
 *
 * Put together from pieces, without the objects and the `JSON.stringify` of {@link file://./answer.ts answer},
 * which says the same of it byte by byte (held by a property test).
 */
import type { AcceptedPart, AnswerFacts, PartAnswer, Reply } from './answer.ts';

const NO_HEADERS = {};

/** @returns the answer, or undefined when there is more to say */
export function acceptedReply(
  parts: readonly PartAnswer[],
  { durability, keysReachBackS }: AnswerFacts,
): Reply | undefined {
  const [part] = parts;
  if (parts.length !== 1 || part?.kind !== 'accepted') return undefined;
  const { stored, quarantined, lines }: AcceptedPart = part;
  if (stored === undefined || stored.repeat || quarantined > 0 || lines === 0) return undefined;
  const { epoch, range } = stored;
  const body =
    `{"durability":"${durability}","accepted":${lines},"unwanted":0,"quarantined":0,` +
    `"streams":[{"stream":${JSON.stringify(part.stream)},"accepted":${lines},"epoch":"${epoch}",` +
    `"offsets":{"from":${range.from},"to":${range.to}}}],"keysReachBackS":${keysReachBackS}}\n`;
  return { status: 200, headers: NO_HEADERS, body };
}
