import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { ingestServerOptions, serveIngest, shareConnections } from '../ingest/index.ts';
import type { Ingest } from '../ingest/index.ts';
import type { Config } from '../model/settings.ts';
import { limits } from '../model/limits.ts';
import type { TlsFiles } from './link.ts';
import { readTls } from './tls.ts';

export interface IngestListener {
  readonly ingest: Ingest;
  readonly host: string;
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
): Promise<IngestListener> {
  const options = ingestServerOptions(limits.ingest);
  const { tlsCert, tlsKey, host, port } = config.ingest;
  const server =
    tlsCert === ''
      ? createServer(options)
      : createTlsServer({ ...options, ...readTls(tlsCert, tlsKey) });
  shareConnections(server, limits.ingest);
  serveIngest(server, ingest, limits.ingest);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => diagnostics.error('ingest listener', { error: error.message }));
  const address = server.address() as AddressInfo;
  return {
    ingest,
    host: address.address,
    port: address.port,
    setTls: (files) => {
      if (tlsCert !== '') (server as TlsServer).setSecureContext(files);
    },
    async drain(signal) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cutOff = new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve(), { once: true }),
      );
      await Promise.race([Promise.all([ingest.close(), closed]), cutOff]);
      server.closeAllConnections();
    },
  };
}
