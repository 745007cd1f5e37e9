import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { frameLines, hasProblems, parseDestination } from '../../destinations/index.ts';
import type { Batch, Framing } from '../../destinations/index.ts';

/** How a receiver wants its lines. */
export interface LineForm {
  readonly framing?: Framing;
  readonly isCompressed: boolean;
}

/** Asks only for the form: what is allowed has been judged before. */
export function formFor(conf: string): LineForm {
  const parsed = parseDestination(conf, {
    allowHttp: true,
    fileRoots: ['/'],
    ambientCredentials: true,
  });
  if (hasProblems(parsed)) return { isCompressed: true };
  const { framing, encoding } = parsed;
  return { isCompressed: encoding !== 'identity', ...(framing ? { framing } : {}) };
}

/** The body of a batch of one line that is no delivery: a trial, or a notice. */
export function packed(
  text: string,
  form: LineForm,
  place: { readonly job: number; readonly epoch: string; readonly receivedMs: number },
): Pick<Batch, 'contentType' | 'encoding' | 'body' | 'bodyBytes' | 'plainBytes' | 'sha256'> {
  const line = { ...place, bytes: Buffer.from(text.trimEnd()), offset: 0 };
  const plain = form.framing ? frameLines(form.framing, [line]) : Buffer.from(text);
  const body = form.isCompressed ? gzipSync(plain) : plain;
  return {
    contentType: form.framing?.contentType ?? 'application/x-ndjson',
    ...(form.isCompressed ? {} : { encoding: 'identity' }),
    body: [body],
    bodyBytes: body.length,
    plainBytes: plain.length,
    sha256: createHash('sha256').update(body).digest('hex'),
  };
}
