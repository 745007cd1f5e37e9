import type { JobActivity } from '../../control/index.ts';
import type { ShardJob } from '../link/link.ts';

/** What a job is doing, in the words that its owner sees. */
export function activity(job: ShardJob): JobActivity {
  switch (job.status?.state) {
    case 'backing_off':
      return 'retrying';
    case 'blocked':
      return 'blocked';
    case 'waiting':
    case 'sending':
      return 'delivering';
    case 'idle':
      return 'idle';
    case 'paused':
    case 'closed':
    case undefined:
      return 'off';
  }
}
