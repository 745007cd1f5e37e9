/** Places in a stream as people write them, and what is answered when lines from there on are not held. */
import { z } from 'zod';
import type { StreamPlace } from '../../model/snapshot.ts';
import { ask } from '../api/context.ts';
import type { Context } from '../api/context.ts';
import type { PlaceAsked, PlaceFound } from '../lines-desk.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;
const OFFSET = /^\d{1,15}$/;

export const PLACE_RULE =
  'must be `now`, `oldest`, a time as RFC 3339 (2026-11-23T06:00:00Z) or an offset';

/** A place as it is sent. */
export const placeText = z
  .string()
  .max(64)
  .refine((text) => parsePlace(text) !== undefined, { error: PLACE_RULE })
  .describe('`now`, `oldest`, a time of reception as RFC 3339, or an offset.');

/** Reads a place; undefined when it is none. */
export function parsePlace(text: string): PlaceAsked | undefined {
  if (text === 'now') return { kind: 'now' };
  if (text === 'oldest') return { kind: 'oldest' };
  if (OFFSET.test(text)) return { kind: 'offset', offset: Number(text) };
  const ms = RFC3339.test(text) ? Date.parse(text.replace(' ', 'T').toUpperCase()) : Number.NaN;
  return Number.isNaN(ms) ? undefined : { kind: 'time', ms };
}

export type Located =
  | {
      readonly kind: 'located';
      /** Null: the stream never had a line. */
      readonly place: StreamPlace | null;
      readonly head: number;
    }
  | (Extract<PlaceFound, { kind: 'gone' }> & { readonly refusal: Refusal })
  | Refusal;

/** Finds a place, or says why lines cannot be had from there on. */
export async function locate(
  context: Context,
  stream: string,
  text: string,
  field: string,
): Promise<Located> {
  const asked = parsePlace(text);
  if (asked === undefined) return refuse('body_invalid', `\`${field}\` ${PLACE_RULE}`, field);
  const answer = await ask(context, 'place', () => context.dataPlane.lines.place(stream, asked));
  if (answer.kind === 'refused') return answer;
  const found = answer.value;
  switch (found.kind) {
    case 'place':
      return { kind: 'located', place: found.place, head: found.head };
    case 'gone':
      return { ...found, refusal: goneRefusal(found, field) };
    case 'ahead':
      return refuse('place_ahead', `\`${field}\` lies in the future.`, field);
    case 'failed':
      return refuse('data_plane_silent', `The lines cannot be looked up: ${found.detail}`);
  }
}

function goneRefusal(
  { place, sinceMs }: Extract<PlaceFound, { kind: 'gone' }>,
  field: string,
): Refusal {
  const since = sinceMs === null ? 'now' : new Date(sinceMs).toISOString();
  return refuse(
    'lines_gone',
    `Lines from there on are not held any more: replayable since ${since} (offset ${place.offset}). Ask from then on, or from \`oldest\`.`,
    field,
  );
}
