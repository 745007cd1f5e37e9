import { createGuardedDialler, destinationCaps, openDestination } from '../destinations/index.ts';
import type { DestinationPolicy, Sender } from '../destinations/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { Config } from '../model/config.ts';
import { limits } from '../model/limits.ts';
import type { JobConfig } from '../model/snapshot.ts';
