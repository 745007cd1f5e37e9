/**
 * check: looks at a data folder from outside and counts everything again, so that the books need not be believed.
 *
 * It shares no code with the rooms that write the folder (`log`, `buffer`, `ledger`): each format is read anew by its page in
 * `docs/formats/`. It changes nothing and takes no lock, so that it may run beside a server or after a kill. Under a running
 * server it sees the folder as of when it looks.
 *
 * The way of a look: `segment.ts` and `log.ts` bring records out of the log, `record.ts`, `block.ts`, `checkpoint.ts` and
 * `archive.ts` read them, `recount.ts` and `job-book.ts` sum them, `audit.ts` and `equation.ts` compare the sums.
 */
import { nodeFileSystem } from '../lib/fs/node.ts';
import type { CheckDirectory } from '../model/check-report.ts';
import { checkFolder } from './check.ts';

/**
 * Verifies every header, checksum, group, block, chain, checkpoint and archive file of a data folder, and recounts each job's
 * books when they are asked for.
 *
 * @returns `misuse` when the folder is none of Waybill's or was written by a newer version
 */
export const checkDirectory: CheckDirectory = (directory, what) =>
  checkFolder(nodeFileSystem(), directory, what);

export { exportLines, listFolder, salvageFolder } from './folder-tools.ts';
export type { Target, Write } from './folder-tools.ts';
