/**
 * The answer that nearly every request gets: all of its lines are accepted, by one stream.
 *
 * Put together from pieces, at a third of the price of the objects and `JSON.stringify` of {@link file://./answer.ts answer},
 * which says the same of it byte by byte (held by a property test).
 */
import type { AcceptedPart, AnswerFacts, PartAnswer } from './answer.ts';

/** @returns the answer's text, or undefined when there is more to say */
export function acceptedText(
  parts: readonly PartAnswer[],
  { durability, keysReachBackS }: AnswerFacts,
): string | undefined {
  const [part] = parts;
  if (parts.length !== 1 || part?.kind !== 'accepted') return undefined;
  const { stored, quarantined, lines }: AcceptedPart = part;
  if (stored === undefined || stored.repeat || quarantined > 0 || lines === 0) return undefined;
  const { epoch, range } = stored;
  return (
    `{"durability":"${durability}","accepted":${lines},"unwanted":0,"quarantined":0,` +
    `"streams":[{"stream":${JSON.stringify(part.stream)},"accepted":${lines},"epoch":"${epoch}",` +
    `"offsets":{"from":${range.from},"to":${range.to}}}],"keysReachBackS":${keysReachBackS}}\n`
  );
}
