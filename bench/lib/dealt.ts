/** Bodies whose lines belong to many zones, as a central receiver's `?by=` bodies do. The same arguments give the same bodies. */
import { cutBodies } from './http-lines.ts';

/** What bodies for one stream each are cut into, and `?by=` bodies too. */
export const SMALL_BODY_BYTES = 2 ** 16;

/**
 * Bodies of 64 KiB, together so many bytes; each run of so many lines is given to a zone `z<n>.example`.
 *
 * @param zones how many there are; drawn at random
 */
export function dealtBodies(bytes: number, linesPerZone: number, zones: number): Buffer[] {
  let seed = 1;
  const anyZone = (): number => (seed = (seed * 48_271) % 2_147_483_647) % zones;
  return cutBodies(bytes, SMALL_BODY_BYTES).map((body) => {
    let zone = 0;
    const lines = body.toString().trimEnd().split('\n');
    const given = lines.map((line, n) => {
      if (n % linesPerZone === 0) zone = anyZone();
      return `${line.replace(/"ZoneName":"[^"]*"/, `"ZoneName":"z${zone}.example"`)}\n`;
    });
    return Buffer.from(given.join(''));
  });
}
