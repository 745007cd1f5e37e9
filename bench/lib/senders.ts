/** Senders as a shard has them, which may deliver to loopback. */
import { senders } from '../../src/app/shard/senders.ts';
import type { Senders } from '../../src/app/shard/senders.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silent as diagnostics } from '../../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { SETTINGS } from '../../src/model/settings.ts';
import type { Config } from '../../src/model/settings.ts';

/** The settings as they come. */
function defaults(): Config {
  const sections = Object.entries(SETTINGS).map(([section, keys]) => {
    const values = Object.entries(keys).map(([key, setting]) => [key, setting.default] as const);
    return [section, Object.fromEntries(values)] as const;
  });
  return Object.fromEntries(sections) as unknown as Config;
}

export function openSenders(): Senders {
  const config = defaults();
  return senders({
    config: {
      ...config,
      destinations: { ...config.destinations, allowHttp: true, allowAddresses: ['127.0.0.0/8'] },
    },
    instance: 'bench',
    files: nodeFileSystem(),
    clock,
    diagnostics,
    ambientCredentials: () => false,
  });
}
