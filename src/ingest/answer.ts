/** The answer to a request: what it says, and how it is written. */
import { ERRORS } from '../model/errors.ts';
import type { Range } from '../model/delivery.ts';
import type { StreamKey } from '../model/scope.ts';
import { refusalBody, spokesman } from './refusal.ts';
import type { Refusal } from './refusal.ts';

export interface AcceptedPart {
  readonly kind: 'accepted';
  readonly stream: StreamKey;
  /** Lines and bytes accepted; 0 when all of them were quarantined. */
  readonly lines: number;
  readonly bytes: number;
  readonly quarantined: number;
  /** Where they stand; absent when there are none. */
  readonly stored?: { readonly epoch: string; readonly range: Range; readonly repeat: boolean };
}

/** What became of the lines of one stream, or of those that belong to none (without `stream`). */
export type PartAnswer =
  | AcceptedPart
  | { readonly kind: 'unwanted'; readonly stream: StreamKey; readonly lines: number }
  | {
      readonly kind: 'refused';
      readonly stream?: StreamKey;
      readonly lines: number;
      readonly refusal: Refusal;
    };

/** What became of a request whose body was read. */
export type Outcome =
  | { readonly kind: 'taken'; readonly parts: readonly PartAnswer[] }
  /** Nothing of it was stored. `lines`: how many there were, 0 when that is not known. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly lines: number };

/** An answer ready to be written. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
}

export interface AnswerFacts {
  readonly durability: 'disk' | 'memory';
  readonly keysReachBackS: number;
}

export function refusalReply(refusal: Refusal): Reply {
  return reply(ERRORS[refusal.code].status, { error: refusalBody(refusal) }, refusal);
}

/** The answer to a body of which at least a part may have been taken. */
export function takenReply(parts: readonly PartAnswer[], facts: AnswerFacts): Reply {
  let accepted = 0;
  let unwanted = 0;
  let quarantined = 0;
  const refusals: Refusal[] = [];
  for (const part of parts) {
    if (part.kind === 'unwanted') unwanted += part.lines;
    else if (part.kind === 'refused') refusals.push(part.refusal);
    else {
      accepted += part.lines;
      quarantined += part.quarantined;
    }
  }
  const content = {
    durability: facts.durability,
    accepted,
    unwanted,
    quarantined,
    streams: parts.map(partBody),
    keysReachBackS: facts.keysReachBackS,
  };
  const speaker = accepted + unwanted + quarantined > 0 ? undefined : spokesman(refusals);
  if (speaker === undefined) return reply(200, content);
  return reply(ERRORS[speaker.code].status, { error: refusalBody(speaker), ...content }, speaker);
}

function partBody(part: PartAnswer): object {
  switch (part.kind) {
    case 'unwanted':
      return { stream: part.stream, unwanted: part.lines };
    case 'refused':
      return {
        ...(part.stream !== undefined && { stream: part.stream }),
        refused: refusalBody(part.refusal),
        lines: part.lines,
      };
    case 'accepted':
      return {
        stream: part.stream,
        accepted: part.lines,
        ...(part.quarantined > 0 && { quarantined: part.quarantined }),
        ...(part.stored !== undefined && {
          epoch: part.stored.epoch,
          offsets: { from: part.stored.range.from, to: part.stored.range.to },
          ...(part.stored.repeat && { repeat: true }),
        }),
      };
  }
}

function reply(status: number, content: object, refusal?: Refusal): Reply {
  const headers: Record<string, string | number> = {};
  if (refusal?.retryAfterS !== undefined) headers['Retry-After'] = refusal.retryAfterS;
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  if (refusal?.code === 'method_not_allowed') headers['Allow'] = 'POST';
  if (refusal?.code === 'encoding_unknown') headers['Accept-Encoding'] = 'identity, gzip, zstd';
  return { status, headers, body: `${JSON.stringify(content)}\n` };
}
