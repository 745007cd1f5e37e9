/**
 * CRC-32 (IEEE 802.3, as in gzip) of a concatenation, from the CRCs of its parts.
 *
 * A CRC is linear over GF(2): appending `n` bytes multiplies the first part's remainder by x^(8n) modulo the polynomial,
 * and the second part's CRC is added. Powers x^(8·2^k) are made once, so one call costs at most 32 multiplications.
 */

/** The polynomial of RFC 1952 §8, bits reversed: bit 31 is x^0. */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;

/** a · b modulo the polynomial, both in reversed bits. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}

/** x^(8·2^k) at place k: what appending 2^k bytes multiplies by. Enough for lengths up to 2^48. */
const BYTE_POWERS: readonly number[] = (() => {
  // x^8 in reversed bits is bit 31 - 8.
  const powers = [ONE >>> 8];
  while (powers.length < 48) {
    const last = powers[powers.length - 1]!;
    powers.push(multiply(last, last));
  }
  return powers;
})();

/**
 * The CRC-32 of `first` followed by `second`.
 *
 * @param secondBytes the length of `second` in bytes, below 2^48
 */
export function combineCrc32(firstCrc: number, secondCrc: number, secondBytes: number): number {
  let crc = firstCrc >>> 0;
  let rest = secondBytes;
  for (let k = 0; rest > 0; k++) {
    if (rest % 2 === 1) crc = multiply(BYTE_POWERS[k]!, crc);
    rest = Math.floor(rest / 2);
  }
  return (crc ^ secondCrc) >>> 0;
}
