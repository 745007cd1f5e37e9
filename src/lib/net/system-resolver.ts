import { lookup } from 'node:dns/promises';
import type { NameResolver } from './resolver.ts';

/**
 * Resolves as the system does, `/etc/hosts` and search domains included. Only for names that the operator wrote: each
 * question takes a thread of libuv's pool until it is answered.
 */
export function systemResolver(): NameResolver {
  const ask = async (host: string, family: 4 | 6): Promise<string[]> => {
    const answers = await lookup(host, { family, all: true });
    return answers.map(({ address }) => address);
  };
  return { resolve4: (host) => ask(host, 4), resolve6: (host) => ask(host, 6) };
}
