/**
 * The one way out, as design's "guarded dialler": a customer chooses where we connect to, so nothing but the check below
 * keeps the inner network, this machine and the cloud's metadata service out of reach.
 *
 * - Names are resolved here, and **every** answer must pass: one refused address among good ones refuses the name, since
 *   that is how a rebinding name server looks.
 * - The vetted addresses are the ones dialled: there is no second look-up between check and use. After the connection
 *   stands, the peer's address is compared once more.
 * - Each new connection is vetted anew, since names change after a job is made.
 * - The certificate is checked against the name, never against the address.
 */
import { Agent as HttpAgent } from './node-http.ts';
import type { ClientRequest, ClientRequestArgs } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { connect, isIP, Socket } from 'node:net';
import type { LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import { connect as connectTls, getCACertificates, TLSSocket } from 'node:tls';
import type { Clock } from '../clock.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { canonicalAddress, isDenied, refusedRange } from './addresses.ts';
import type { OpenedRange } from './addresses.ts';
import type { DialTarget, GuardedDialler } from './dialler.ts';
import { resolveAll } from './resolver.ts';
import type { NameResolver } from './resolver.ts';

export interface GuardedDiallerOptions {
  readonly resolver: NameResolver;
  /** Ranges that the operator opened; see `parseOpenedRange`. */
  readonly allow: readonly OpenedRange[];
  /** Ranges that the operator closed, whatever they are otherwise; absent: none. */
  readonly deny?: readonly OpenedRange[];
  /** Ports that may be dialled; absent: any but {@link NEVER_PORTS}. */
  readonly allowPorts?: readonly number[];
  /** Ports of this very server: never dialled at this machine's own addresses, whatever is opened. */
  readonly ownPorts?: readonly number[];
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Time for a connection to stand, name and TLS included, milliseconds. */
  readonly connectMs: number;
  /** An unused connection is closed after this time, milliseconds. */
  readonly idleMs: number;
  /** Unused connections kept in all: each costs a file handle here and there. */
  readonly idleSockets: number;
  /** Connections to one host. At least as many as there may be attempts, so that nobody queues behind another's. */
  readonly socketsPerHost: number;
  /** PEM certificates of authorities to trust besides the usual ones. */
  readonly ca?: readonly string[];
  /** This machine's own addresses; absent: asked of the system at each connection. */
  readonly ownAddresses?: () => readonly string[];
}

/**
 * Mail, shells and chat: what is sent there could be taken for commands, in our name, and no receiver of logs listens on them. An
 * operator who wants one lists it.
 */
const NEVER_PORTS: ReadonlySet<number> = new Set([
  22, 23, 25, 110, 143, 465, 587, 993, 995, 6665, 6666, 6667, 6668, 6669, 6697,
]);

/** The address may not be dialled. `message` is fit for a customer: it does not say what the name resolved to. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly code = 'WAYBILL_ADDRESS_REFUSED';

  constructor(words: string) {
    super(words);
  }
}

/**
 * Said of a name without an address and of one whose address is refused alike: told apart, whoever may name a destination
 * could list the names of the inner network.
 */
export const NOT_FOUND_OR_REFUSED =
  'DNS: the host name was not found, or its address is not allowed as a destination here';

/** Said of every connection to an inner address that does not come about, whether it is refused, filtered or closed. */
export const NO_INNER_CONNECTION = 'no connection could be made';

/** No connection stood in time. */
export class ConnectTimeout extends Error {
  override readonly name = 'ConnectTimeout';
  readonly code = 'WAYBILL_CONNECT_TIMEOUT';

  /** @param isInner the address is a special one, which the operator opened */
  constructor(isInner: boolean) {
    super(isInner ? NO_INNER_CONNECTION : 'no connection could be made in time');
  }
}

export function createGuardedDialler(options: GuardedDiallerOptions): GuardedDialler {
  const guard = new Guard(options);
  const agentOptions = {
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: options.socketsPerHost,
    timeout: options.idleMs,
  } as const;
  const httpAgent = new GuardedHttpAgent(agentOptions, guard);
  const ca = options.ca?.length ? { ca: [...getCACertificates('default'), ...options.ca] } : {};
  const httpsAgent = new GuardedHttpsAgent({ ...agentOptions, ...ca }, guard);
  return {
    httpAgent,
    httpsAgent,
    connect(target) {
      return guard.connect(target, ca);
    },
    rest: (socket) => guard.keep(socket),
    wake: (socket) => guard.reused(socket),
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

interface Target {
  readonly host: string;
  readonly port: number;
}

type OnCreated = (error: Error | null, socket: Duplex) => void;

/** Vets targets, and watches over connections under way and connections that rest. */
class Guard {
  readonly #options: GuardedDiallerOptions;
  readonly #idle = new Set<Duplex>();

  constructor(options: GuardedDiallerOptions) {
    this.#options = options;
  }

  /**
   * Dials through `connect`, which is handed the agent's options with our look-up in place of the system's.
   *
   * A refusal that needs no look-up is told through `onCreated`, as Node's agents expect it.
   */
  dial(
    target: ClientRequestArgs,
    onCreated: OnCreated | undefined,
    connect: (options: ClientRequestArgs) => Duplex | null | undefined,
  ): Duplex | null | undefined {
    const host = target.host ?? '';
    const port = Number(target.port);
    const vetted = new Set<string>();
    try {
      if (target.socketPath)
        throw new AddressRefused('a local socket is not allowed as a destination here');
      this.#vetPort(port);
      if (isIP(host) !== 0) this.#vet({ host, port }, [host], vetted);
    } catch (error) {
      process.nextTick(() => (onCreated as ((error: unknown) => void) | undefined)?.(error));
      return undefined;
    }
    // `path` would be taken for a local socket's.
    const socket = connect(
      Object.assign({}, target, {
        path: undefined,
        noDelay: true,
        autoSelectFamily: true,
        lookup: this.#lookup(port, vetted),
      }),
    );
    if (socket) this.#watch(socket as Socket, vetted);
    return socket;
  }

  /** For what is not HTTP. A refusal comes as the error of a socket that was never connected. */
  connect(target: DialTarget, trust: { readonly ca?: string[] }): Socket {
    const { secure, host, port, certificates = {} } = target;
    const unbracketed = host.replace(/^\[|\]$/g, '');
    const name = isIP(unbracketed) === 0 ? { servername: unbracketed } : {};
    let refused: Error | undefined;
    const onCreated = (error: Error | null): void => {
      if (error) refused = error;
    };
    const socket = this.dial({ host: unbracketed, port }, onCreated, (options) => {
      const { lookup } = options;
      const plain = { host: unbracketed, port, noDelay: true, autoSelectFamily: true };
      const vetted = lookup === undefined ? plain : { ...plain, lookup };
      if (!secure) return connect(vetted);
      const { ca, ...own } = certificates;
      return connectTls({ ...vetted, ...name, ...trust, ...own, ...(ca ? { ca: [...ca] } : {}) });
    });
    if (socket) return socket as Socket;
    const dead = new Socket();
    process.nextTick(() => dead.destroy(refused));
    return dead;
  }

  #vetPort(port: number): void {
    const { allowPorts } = this.#options;
    if (allowPorts ? !allowPorts.includes(port) : NEVER_PORTS.has(port)) {
      throw new AddressRefused(`port ${port} is not allowed as a destination here`);
    }
  }

  /** Passes when every address may be dialled; adds them to `vetted` then. */
  #vet(target: Target, addresses: readonly string[], vetted: Set<string>): void {
    const { host, port } = target;
    const own = this.#options.ownAddresses?.() ?? interfaceAddresses();
    for (const address of addresses) {
      const range = isDenied(address, this.#options.deny ?? [])
        ? 'denied'
        : refusedRange(address, this.#options.allow, own);
      if (range === undefined) continue;
      this.#options.diagnostics.warn('dial_refused', { host, address, range });
      throw new AddressRefused(
        isIP(host) === 0
          ? NOT_FOUND_OR_REFUSED
          : 'the address is not allowed as a destination here',
      );
    }
    const isOwnPort = this.#options.ownPorts?.includes(port) === true;
    if (isOwnPort && addresses.some((address) => isHere(address, own)))
      throw new AddressRefused("this server's own address is not allowed as a destination here");
    for (const address of addresses) vetted.add(canonicalAddress(address) ?? address);
  }

  #lookup(port: number, vetted: Set<string>): LookupFunction {
    return (host, { all }, answer) =>
      void this.#answer({ host, port }, all === true, vetted, answer);
  }

  async #answer(
    target: Target,
    all: boolean,
    vetted: Set<string>,
    answer: Parameters<LookupFunction>[2],
  ): Promise<void> {
    let addresses: readonly string[];
    try {
      addresses = await this.#addressesOf(target, vetted);
    } catch (error) {
      answer(error as NodeJS.ErrnoException, []);
      return;
    }
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (all) answer(null, found);
    else answer(null, found[0]?.address ?? '', found[0]?.family);
  }

  async #addressesOf(target: Target, vetted: Set<string>): Promise<readonly string[]> {
    const { host } = target;
    const name = host.toLowerCase().replace(/\.$/, '');
    // RFC 6761: never asked of a name server. Which of the two is opened is the operator's choice.
    if (name === 'localhost' || name.endsWith('.localhost')) {
      const loopback = ['127.0.0.1', '::1'];
      const open = loopback.filter(
        (address) => refusedRange(address, this.#options.allow, []) === undefined,
      );
      this.#vet(target, open.length > 0 ? open : loopback, vetted);
      return open;
    }
    const addresses = await resolveAll(this.#options.resolver, host);
    this.#vet(target, addresses, vetted);
    return addresses;
  }

  /** Bounds the time until the connection stands, and compares its peer with what was vetted. */
  #watch(socket: Socket, vetted: ReadonlySet<string>): void {
    const cancel = this.#options.clock.after(this.#options.connectMs, () => {
      const isInner = [...vetted].some((each) => refusedRange(each, [], []) !== undefined);
      socket.destroy(new ConnectTimeout(isInner));
    });
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', cancel);
    socket.once('close', () => {
      cancel();
      this.#idle.delete(socket);
    });
    socket.once('connect', () => {
      const peer = canonicalAddress(socket.remoteAddress ?? '');
      if (peer !== undefined && vetted.has(peer)) return;
      this.#options.diagnostics.alarm('dial_wrong_peer', { peer });
      socket.destroy(new AddressRefused('the address is not allowed as a destination here'));
    });
  }

  /** Whether one more unused connection may be kept. */
  keep(socket: Duplex): boolean {
    if (this.#idle.size >= this.#options.idleSockets) return false;
    this.#idle.add(socket);
    return true;
  }

  reused(socket: Duplex): void {
    this.#idle.delete(socket);
  }
}

class GuardedHttpAgent extends HttpAgent {
  readonly #guard: Guard;

  constructor(options: ConstructorParameters<typeof HttpAgent>[0], guard: Guard) {
    super(options);
    this.#guard = guard;
  }

  override createConnection(options: ClientRequestArgs, callback?: OnCreated) {
    return this.#guard.dial(options, callback, (vetted) => super.createConnection(vetted));
  }

  override keepSocketAlive(socket: Duplex): boolean {
    super.keepSocketAlive(socket);
    return this.#guard.keep(socket);
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#guard.reused(socket);
    super.reuseSocket(socket, request);
  }
}

class GuardedHttpsAgent extends HttpsAgent {
  readonly #guard: Guard;

  constructor(options: ConstructorParameters<typeof HttpsAgent>[0], guard: Guard) {
    super(options);
    this.#guard = guard;
  }

  override createConnection(options: ClientRequestArgs, callback?: OnCreated) {
    return this.#guard.dial(options, callback, (vetted) => super.createConnection(vetted));
  }

  override keepSocketAlive(socket: Duplex): boolean {
    super.keepSocketAlive(socket);
    return this.#guard.keep(socket);
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#guard.reused(socket);
    super.reuseSocket(socket, request);
  }
}

/** Whether an address is this machine, by its interfaces or by being loopback. */
function isHere(address: string, own: readonly string[]): boolean {
  const canonical = canonicalAddress(address) ?? address;
  if (canonical.startsWith('127.') || canonical === '::1') return true;
  return own.some((each) => (canonicalAddress(each) ?? each) === canonical);
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  );
}
