/** Whole numbers of up to 53 bits in eight bytes, little-endian: what JavaScript counts exactly, in a field that has room. */

const HALF = 2 ** 32;

export function writeU64(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % HALF, at);
  target.writeUInt32LE(Math.floor(value / HALF), at + 4);
}

/** The number, which is not exact above 2^53: such a field does not come from us, and callers compare or refuse it. */
export function readU64(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * HALF;
}
