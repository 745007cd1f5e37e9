/** What islands that put one object a batch share: its path, its name, and what is said of it. */
import { problem, withDate } from './conf.ts';
import type { Batch, ConfProblem } from './destination.ts';

/**
 * The folder part of a place: without slashes around it, `{DATE}` unfilled, may be empty.
 *
 * @param mostBytes what is left of the service's longest name
 */
export function readPrefix(raw: string, mostBytes: number): string | ConfProblem {
  let prefix: string;
  try {
    prefix = decodeURIComponent(raw).replaceAll(/^\/+|\/+$/g, '');
  } catch {
    return problem('destination_conf', 'holds a `%` that is not followed by two hex digits');
  }
  const parts = prefix.split('/');
  if (prefix !== '' && parts.some((part) => part === '' || part === '.' || part === '..')) {
    return problem('destination_conf', 'must not hold `.`, `..` or empty parts in its path');
  }
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u001f\u007f]/.test(prefix) || Buffer.byteLength(prefix) > mostBytes) {
    return problem(
      'destination_conf',
      `the path may have ${mostBytes} bytes and no control characters`,
    );
  }
  return prefix;
}

/** A batch's whole name below a bucket or container. */
export function objectName(prefix: string, batch: Batch): string {
  const folder = withDate(prefix, batch.receivedMs.first);
  return folder === '' ? batch.name : `${folder}/${batch.name}`;
}

/** The gzip is the object, not its transport: with a Content-Encoding, tools would unpack it. */
export function objectType(batch: Batch): string {
  return batch.encoding === 'identity' ? batch.contentType : 'application/gzip';
}

/** What goes into an object's metadata, by names of letters alone; the same in every repeat. */
export function objectFacts(batch: Batch): Readonly<Record<string, string>> {
  return {
    batchid: batch.id,
    job: String(batch.job),
    stream: batch.stream,
    offsets: `${batch.epoch}:${batch.from}-${batch.to}`,
    lines: String(batch.lines),
    sha256: batch.sha256,
  };
}

/** A name in a path as RFC 3986 wants it, slashes left as they are. */
export function escapePath(path: string): string {
  return encodeURIComponent(path)
    .replaceAll('%2F', '/')
    .replaceAll(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
}
