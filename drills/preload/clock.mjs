// Loaded into a server by `--import`: shifts its wall clock by as many milliseconds as DRILL_CLOCK_FILE says just now.
// The machine's own clock, monotonic time and the file system's times stay as they are.
import { readFileSync } from 'node:fs';

const LOOK_MS = 50;
const RealDate = Date;
const realNow = Date.now;
let offsetMs = 0;

function look() {
  try {
    offsetMs = Number(readFileSync(process.env.DRILL_CLOCK_FILE, 'utf8')) || 0;
  } catch {
    // Being written just now.
  }
}

look();
setInterval(look, LOOK_MS).unref();

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(realNow() + offsetMs);
    else super(...given);
  }

  static now() {
    return realNow() + offsetMs;
  }
};
