/** All drills, in the order of the list. */
import { certificateExpired } from './certificate-expired.ts';
import { clockJump } from './clock-jump.ts';
import { controlStoreLost } from './control-store-lost.ts';
import { corruptSegment } from './corrupt-segment.ts';
import { destinationDown } from './destination-down.ts';
import { diskFull } from './disk-full.ts';
import { forwarderCutOff } from './forwarder-cut-off.ts';
import { kill9 } from './kill-9.ts';
import type { Drill } from './kit/drill.ts';
import { november14 } from './november-14.ts';
import { poisonedLine } from './poisoned-line.ts';
import { slowDestination } from './slow-destination.ts';

export const DRILLS: readonly Drill[] = [
  november14,
  destinationDown,
  slowDestination,
  certificateExpired,
  poisonedLine,
  diskFull,
  kill9,
  corruptSegment,
  clockJump,
  controlStoreLost,
  forwarderCutOff,
];
