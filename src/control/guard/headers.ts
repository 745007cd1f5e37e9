/** How a request says why it changes something, and that it insists: two headers that every changing path takes. */
import type { IncomingHttpHeaders } from 'node:http';
import { limits } from '../../model/limits.ts';

const INSIST_HEADER = 'waybill-insist';
const REASON_HEADER = 'waybill-reason';

const TOKEN = /^[0-9a-f]{1,64}$/;

/** Texts beyond ASCII come percent-encoded, as headers take nothing else. A token in no form that was ever given is none that holds. */
export function insistenceOf(headers: IncomingHttpHeaders): {
  readonly insist?: string;
  readonly reason?: string;
} {
  const insist = headers[INSIST_HEADER];
  const reason = headers[REASON_HEADER];
  const text = typeof reason === 'string' ? decoded(reason).trim() : '';
  return {
    ...(typeof insist === 'string' ? { insist: TOKEN.test(insist) ? insist : '-' } : {}),
    ...(text === '' ? {} : { reason: text.slice(0, limits.guard.reasonLength) }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
