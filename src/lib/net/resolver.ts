/** Names to addresses by c-ares: its sockets are the event loop's, so that a slow name server takes no thread from the log. */
import { promises as dns } from 'node:dns';

/** The narrow part of `dns.Resolver` that the dialler uses; tests put a scripted one in its place. */
export interface NameResolver {
  resolve4(host: string): Promise<string[]>;
  resolve6(host: string): Promise<string[]>;
}

export interface ResolverOptions {
  /** Time for one question to one server, milliseconds. */
  readonly timeoutMs: number;
  readonly tries: number;
  /** Name servers as `address` or `address:port`; absent: the system's. */
  readonly servers?: readonly string[];
}

/** Asks the name servers directly: `/etc/hosts` and search domains play no part. */
export function cAresResolver(options: ResolverOptions): NameResolver {
  const resolver = new dns.Resolver({ timeout: options.timeoutMs, tries: options.tries });
  if (options.servers) resolver.setServers(options.servers);
  return {
    resolve4: (host) => resolver.resolve4(host),
    resolve6: (host) => resolver.resolve6(host),
  };
}

/** Whether c-ares takes a text as the address of a name server. */
export function isNameServer(text: string): boolean {
  try {
    new dns.Resolver().setServers([text]);
    return true;
  } catch {
    return false;
  }
}

/** The name has no address, or nobody could be asked. `code` is c-ares's (`ENOTFOUND`, `ETIMEOUT`, `ESERVFAIL`, ...). */
export class NameUnresolved extends Error {
  override readonly name = 'NameUnresolved';
  readonly code: string;

  constructor(host: string, code: string) {
    super(`the name ${host} could not be resolved: ${code}`);
    this.code = code;
  }
}

const NO_SUCH_ANSWER = new Set(['ENOTFOUND', 'ENODATA', 'ENONAME', 'EBADNAME']);

/**
 * All addresses of a name, IPv6 first as they are tried. One family without an answer is fine.
 *
 * @throws {NameUnresolved} when there is none
 */
export async function resolveAll(resolver: NameResolver, host: string): Promise<string[]> {
  const answers = await Promise.allSettled([resolver.resolve6(host), resolver.resolve4(host)]);
  const addresses = answers.flatMap((answer) =>
    answer.status === 'fulfilled' ? answer.value : [],
  );
  if (addresses.length > 0) return addresses;
  const codes = answers.map((answer) =>
    answer.status === 'rejected' ? codeOf(answer.reason) : 'ENODATA',
  );
  // "No such name" is said only when it was really the answer: a name server in trouble must not look like a typing error.
  const trouble = codes.find((code) => !NO_SUCH_ANSWER.has(code));
  throw new NameUnresolved(host, trouble ?? 'ENOTFOUND');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'EUNKNOWN';
}
