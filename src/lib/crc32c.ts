/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), which Kafka's record batches carry; Node's `zlib.crc32` is another polynomial. */

/** The polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/**
 * @param before the checksum of the bytes before these, to go on from; absent: none
 * @returns an unsigned 32-bit number
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let index = 0; index < bytes.length; index++) {
    crc = TABLE[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
