/** A guarded dialler and destination tools for tests: loopback is open, `receiver.test` is 127.0.0.1, waiting is short. */
import { parseOpenedRange } from '../../src/lib/net/addresses.ts';
import type { OpenedRange } from '../../src/lib/net/addresses.ts';
import type { GuardedDialler } from '../../src/lib/net/dialler.ts';
import { createGuardedDialler } from '../../src/lib/net/guarded-dialler.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silent } from '../../src/lib/diagnostics.ts';
import type { NameResolver } from '../../src/lib/net/resolver.ts';

const notFound = (): Promise<string[]> =>
  Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }));

const resolver: NameResolver = {
  resolve4: (host) =>
    host.endsWith('receiver.test') ? Promise.resolve(['127.0.0.1']) : notFound(),
  resolve6: notFound,
};

export function testDialler(
  options: {
    readonly open?: readonly string[];
    readonly ports?: readonly number[];
    readonly ca?: readonly string[];
  } = {},
): GuardedDialler {
  return createGuardedDialler({
    resolver,
    allow: (options.open ?? ['127.0.0.0/8']).map((text) => parseOpenedRange(text) as OpenedRange),
    clock: systemClock,
    diagnostics: silent,
    connectMs: 5_000,
    idleMs: 5_000,
    idleSockets: 8,
    socketsPerHost: 64,
    ...(options.ports ? { allowPorts: options.ports } : {}),
    ...(options.ca ? { ca: options.ca } : {}),
  });
}
