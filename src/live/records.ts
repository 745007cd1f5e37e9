/** Records on their way to a listener: each a line of JSON, with `sampleInterval` put in as the last field. */

/** The lines of an encoder's output, as text: messages must be UTF-8, so bytes that are none become U+FFFD here. */
export function recordsOf(encoded: Buffer): readonly string[] {
  const records = encoded.toString('utf8').split('\n');
  records.pop();
  return records;
}

/**
 * The record with its weight.
 *
 * @param record an object's JSON text
 * @param interval for how many lines the record stands
 */
export function withInterval(record: string, interval: number): string {
  const before = record.slice(0, record.lastIndexOf('}'));
  const comma = /^\s*\{\s*$/.test(before) ? '' : ',';
  return `${before}${comma}"sampleInterval":${interval}}\n`;
}
