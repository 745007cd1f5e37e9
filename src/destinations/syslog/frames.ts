/** Lines as syslog messages: RFC 5424 §6, each with its length before it (RFC 6587 §3.4.1, RFC 5425 §4.3). */
import type { Batch } from '../destination.ts';
import type { SyslogSettings } from './settings.ts';

const NEWLINE = 0x0a;
const PROCID_CHARACTERS = 128;

/**
 * @param plain lines, each ended by a newline
 *
 * The batch's id stands in PROCID, the same in every repeat; TIMESTAMP is the reception of the batch's first line.
 */
export function frames(plain: Buffer, batch: Batch, header: SyslogSettings['header']): Buffer {
  const time = new Date(batch.receivedMs.first).toISOString();
  const process = batch.id.slice(-PROCID_CHARACTERS);
  const { priority, hostname, app } = header;
  const head = Buffer.from(`<${priority}>1 ${time} ${hostname} ${app} ${process} - - `);
  const parts: Buffer[] = [];
  let place = 0;
  while (place < plain.length) {
    const found = plain.indexOf(NEWLINE, place);
    const end = found < 0 ? plain.length : found;
    if (end > place) {
      parts.push(Buffer.from(`${head.length + end - place} `), head, plain.subarray(place, end));
    }
    place = end + 1;
  }
  return Buffer.concat(parts);
}
