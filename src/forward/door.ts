/** Where producers send: HTTP with ingest's own paths, on loopback and on a Unix socket. */
import { createServer } from '../lib/net/node-http.ts';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { ingestServerOptions, serveIngest } from '../ingest/index.ts';
import type { Ingest, IngestLimits } from '../ingest/index.ts';

export interface DoorOptions {
  readonly ingest: Ingest;
  /** Answers as a server does that is starting: for requests that nobody can sort yet. */
  readonly notYet: Ingest;
  /** Whether lines can be told apart by zone. */
  readonly canSort: () => boolean;
  /** Whether producers have to send a token. */
  readonly asksForToken: boolean;
  readonly limits: Pick<IngestLimits, 'requestMs' | 'connections'>;
  readonly files: FileSystem;
  readonly diagnostics: Diagnostics;
}

export interface Door {
  /** Opens a port; resolves with the address as `host:port`. Rejects when it cannot be had. */
  listen(host: string, port: number): Promise<string>;
  /** Opens a Unix socket. Rejects when it cannot be had. */
  listenAt(socket: string): Promise<void>;
  /** Takes no more requests, lets those under way end until `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>;
}

/** What stands for a producer that sends no token, where none is asked for. */
const NO_TOKEN = 'Bearer producer';

export function openDoor(options: DoorOptions): Door {
  const { ingest, notYet, limits, diagnostics } = options;
  const servers: Server[] = [];
  const guarded: Ingest = {
    ...delegate(ingest),
    handle(request: IncomingMessage, response: ServerResponse, awaitsContinue?: boolean) {
      if (!options.asksForToken) request.headers.authorization = NO_TOKEN;
      const sorts = isSorted(request.url ?? '') && !options.canSort();
      (sorts ? notYet : ingest).handle(request, response, awaitsContinue);
    },
  };
  const makeServer = (): Server => {
    const server = createServer(ingestServerOptions(limits));
    server.maxConnections = limits.connections;
    serveIngest(server, guarded, limits);
    servers.push(server);
    return server;
  };
  const started = (server: Server): void => {
    server.on('error', (error) => diagnostics.error('ingest listener', { error: error.message }));
  };
  return {
    async listen(host, port) {
      const server = makeServer();
      await listening(server, { host, port });
      started(server);
      const { address, port: given } = server.address() as AddressInfo;
      return `${address.includes(':') ? `[${address}]` : address}:${given}`;
    },
    async listenAt(socket) {
      if (await isStale(socket)) await options.files.unlink(socket);
      const server = makeServer();
      await listening(server, { path: socket });
      started(server);
    },
    async drain(signal) {
      ingest.drain();
      const closed = servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeIdleConnections();
          }),
      );
      const cutOff = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([Promise.all([ingest.close(), ...closed]), cutOff]);
      for (const server of servers) server.closeAllConnections();
    },
  };
}

function delegate(ingest: Ingest): Omit<Ingest, 'handle'> {
  return {
    drain: () => ingest.drain(),
    stats: () => ingest.stats(),
    admitHanded: (account, bytes) => ingest.admitHanded(account, bytes),
    regain: (memory) => ingest.regain(memory),
    close: () => ingest.close(),
  };
}

/** Whether the path has a dataset and no scope: lines of many zones. */
function isSorted(url: string): boolean {
  return /^\/v1\/ingest\/[^/?]+(\?|$)/.test(url);
}

function listening(
  server: Server,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Whether a socket is left over from a process that was killed: it is there, and nobody listens. */
function isStale(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error) =>
      resolve((error as NodeJS.ErrnoException).code === 'ECONNREFUSED'),
    );
  });
}
