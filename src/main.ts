/** Process entry: the command line, with the parts that only a whole server has. */
import {
  VERSION,
  checkDirectory,
  folderTools,
  rebuildStore,
  serveUntilStopped,
  terminal,
  forwardParts,
} from './app/index.ts';
import { runCli } from './cli/index.ts';

process.exitCode = await runCli(process.argv.slice(2), terminal(), {
  version: VERSION,
  serve: serveUntilStopped,
  checkDirectory,
  folderTools,
  rebuildStore,
  forward: forwardParts,
});
