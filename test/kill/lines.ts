/** Lines whose whole content follows from their number: whoever reads one can tell whether a byte of it is wrong. */

/** A line of a producer, without its newline. Lengths vary from about 90 to 1,300 bytes. */
export function lineOf(producer: number, number: number): string {
  const mixed = Math.imul(number ^ (producer << 20), 0x9e3779b1) >>> 0;
  const pad = 'abcdefghijklmnopqrstuvwxyz0123456789'
    .repeat(1 + (mixed % 34))
    .slice(0, mixed % 1_200);
  return `{"id":"${producer}-${number}","nanos":${1732000000123456789n + BigInt(number)},"mixed":${mixed},"text":"caf\\u00e9 \u00e9${pad}"}`;
}

/** Which line it claims to be, or undefined when it is none of ours or a byte of it differs. */
export function identify(
  line: string,
): { readonly producer: number; readonly number: number } | undefined {
  const match = /^\{"id":"(\d+)-(\d+)"/.exec(line);
  if (!match) return undefined;
  const producer = Number(match[1]);
  const number = Number(match[2]);
  return line === lineOf(producer, number) ? { producer, number } : undefined;
}
