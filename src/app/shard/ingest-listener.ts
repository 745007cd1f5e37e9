import { createServer } from '../../lib/net/node-http.ts';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { ingestServerOptions, serveIngest, shareConnections } from '../../ingest/index.ts';
import type { Ingest } from '../../ingest/index.ts';
import type { Config } from '../../model/settings.ts';
import { limits } from '../../model/limits.ts';
import type { ListenWhere, TlsFiles } from '../link/link.ts';
import { readTls } from '../tls.ts';

export interface IngestListener {
  readonly ingest: Ingest;
  readonly host: string;
  /** 0: another shard listens for this one too. */
  readonly port: number;
  setTls(files: TlsFiles): void;
  /** Takes no more requests, lets those under way end until `signal` aborts, closes. */
  drain(signal: AbortSignal): Promise<void>;
}

/** Opens the listener that producers reach. Rejects when the address cannot be had. */
export async function listenForIngest(
  ingest: Ingest,
  config: Config,
  diagnostics: Diagnostics,
  where: ListenWhere,
): Promise<IngestListener> {
  const options = ingestServerOptions(limits.ingest);
  const { tlsCert, tlsKey, host } = config.ingest;
  const server =
    tlsCert === ''
      ? createServer(options)
      : createTlsServer({ ...options, ...readTls(tlsCert, tlsKey) });
  shareConnections(server, limits.ingest);
  serveIngest(server, ingest, limits.ingest);
  const listening = await listen(server, host, where);
  if (!listening) diagnostics.info('another shard listens for this one', {});
  server.on('error', (error) => diagnostics.error('ingest listener', { error: error.message }));
  const address = server.address() as AddressInfo | null;
  return {
    ingest,
    host: address?.address ?? host,
    port: address?.port ?? 0,
    setTls: (files) => {
      if (tlsCert !== '') (server as TlsServer).setSecureContext(files);
    },
    async drain(signal) {
      const closed = new Promise<void>((resolve) =>
        listening ? server.close(() => resolve()) : resolve(),
      );
      server.closeIdleConnections();
      const cutOff = new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve(), { once: true }),
      );
      await Promise.race([Promise.all([ingest.close(), closed]), cutOff]);
      server.closeAllConnections();
    },
  };
}

/** @returns false when the platform lets nobody share a port: then one shard listens for all of them */
async function listen(server: Server, host: string, where: ListenWhere): Promise<boolean> {
  const { port, shared } = where;
  if (shared === 'no') return begin(server, { host, port });
  // Another program that shares its port could share ours too, and take some of our connections: such a one is found before
  // our own share it.
  if (shared === 'first' && port !== 0) await probe(host, port);
  try {
    return await begin(server, { host, port, reusePort: true });
  } catch (error) {
    const isOffered = !(error instanceof Error && 'code' in error && error.code === 'ENOTSUP');
    if (isOffered) throw error;
    return shared !== 'further' && (await begin(server, { host, port }));
  }
}

async function probe(host: string, port: number): Promise<void> {
  const alone = createServer();
  await begin(alone, { host, port });
  await new Promise<void>((resolve) => alone.close(() => resolve()));
}

function begin(server: Server, options: ListenOptions): Promise<true> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve(true);
    });
  });
}
