/** What islands that speak HTTP share: reading `Retry-After`, and keeping a receiver's words short and harmless. */

/**
 * `Retry-After` in milliseconds from now, either form of RFC 9110 §10.2.3.
 *
 * @returns undefined when there is none, or none that can be read; at most `maxMs`
 */
export function retryAfterMs(
  header: string | undefined,
  nowMs: number,
  maxMs: number,
): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const isDate = /^[A-Z][a-z]+,? /.test(text);
  if (!isDate && !/^\d{1,12}$/.test(text)) return undefined;
  const waitMs = isDate ? Date.parse(text) - nowMs : Number(text) * 1_000;
  if (Number.isNaN(waitMs)) return undefined;
  return Math.min(Math.max(waitMs, 0), maxMs);
}

/** A receiver's text, cut and freed of what is not visible ASCII, so that it may stand in a waybill. */
export function shortText(text: string, length = 128): string {
  return text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, length);
}
