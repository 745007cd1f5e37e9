/**
 * CRC-32 (IEEE 802.3, as in gzip) of a concatenation, from the CRCs of its parts.
 *
 * A CRC is linear over GF(2): appending `n` bytes multiplies the first part's remainder by x^(8n) modulo the polynomial,
 * and the second part's CRC is added. Powers x^(8·2^k) are made once, and for each that is used what it makes of every byte of a
 * remainder: a call costs four look-ups for each bit of the length, where a multiplication is a hundred times that.
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

/** What a power makes of a remainder, by its bytes: four tables of 256, one behind the other. */
type ByteTables = Uint32Array;

/** Made when they are first used: 4 KiB each, of which lengths up to a batch's need 26. */
const TABLES: ByteTables[] = [];

function tablesOf(k: number): ByteTables {
  const tables = new Uint32Array(4 * 256);
  const power = BYTE_POWERS[k]!;
  for (let place = 0; place < 4; place++) {
    for (let byte = 1; byte < 256; byte++) {
      tables[place * 256 + byte] = multiply(power, (byte << (8 * place)) >>> 0);
    }
  }
  return (TABLES[k] = tables);
}

/**
 * The CRC-32 of `first` followed by `second`.
 *
 * @param secondBytes the length of `second` in bytes, below 2^48
 */
export function combineCrc32(firstCrc: number, secondCrc: number, secondBytes: number): number {
  let crc = firstCrc >>> 0;
  let rest = secondBytes;
  for (let k = 0; rest > 0; k++) {
    if (rest % 2 === 1) crc = appended(TABLES[k] ?? tablesOf(k), crc);
    rest = Math.floor(rest / 2);
  }
  return (crc ^ secondCrc) >>> 0;
}

function appended(tables: ByteTables, crc: number): number {
  const low = tables[crc & 0xff]! ^ tables[256 + ((crc >>> 8) & 0xff)]!;
  return low ^ tables[512 + ((crc >>> 16) & 0xff)]! ^ tables[768 + (crc >>> 24)]!;
}

/** What a byte makes of a remainder. */
const BYTE_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++)
    remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder;
});

/**
 * The CRC-32 of some dozens of bytes: up to a hundred of them, a call into zlib and the view that it wants cost more, and the view is
 * garbage.
 *
 * @param crc of what comes before them
 */
export function shortCrc32(bytes: Uint8Array, from: number, to: number, crc = 0): number {
  let remainder = ~crc;
  for (let at = from; at < to; at++)
    remainder = BYTE_TABLE[(remainder ^ bytes[at]!) & 0xff]! ^ (remainder >>> 8);
  return ~remainder >>> 0;
}
