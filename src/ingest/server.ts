/** How app sets up the HTTP server that ingest sits on. */
import type { Server, ServerOptions } from 'node:http';
import type { Ingest, IngestLimits } from './contract.ts';

/** A request's header fields in all: tokens and keys are short; proxies add some. */
const HEADER_BYTES = 16 * 1024;
/** From a connection (or the last answer on it) to the end of the header fields. */
const HEADERS_MS = 15_000;
/** Idle connections stay open longer than load balancers' usual 60 s, so that these close them first and never race. */
const KEEP_ALIVE_MS = 75_000;
/** How much longer than ingest's own bound node:http waits: ours answers in our own words. */
const GRACE_MS = 10_000;
/** How often node:http looks for requests over their time. */
const CHECK_MS = 5_000;

/**
 * Settings for `http.createServer` or `https.createServer`. The number of connections (`limits.connections`) is set on the
 * server by the caller: `server.maxConnections`.
 */
export function ingestServerOptions(
  limits: Pick<IngestLimits, 'requestMs'>,
): Pick<
  ServerOptions,
  | 'maxHeaderSize'
  | 'headersTimeout'
  | 'requestTimeout'
  | 'keepAliveTimeout'
  | 'connectionsCheckingInterval'
  | 'noDelay'
  | 'requireHostHeader'
> {
  const requestTimeout = limits.requestMs + GRACE_MS;
  return {
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: Math.min(HEADERS_MS, requestTimeout),
    requestTimeout,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_MS,
    noDelay: true,
    requireHostHeader: true,
  };
}

/**
 * Hands a server's requests to ingest, those with `Expect: 100-continue` before they are told to go on. Connections on which
 * nothing moves for as long as a whole request may take are closed, also when an answer is not being read.
 */
export function serveIngest(
  server: Server,
  ingest: Ingest,
  limits: Pick<IngestLimits, 'requestMs'>,
): void {
  server.on('request', (request, response) => ingest.handle(request, response));
  server.on('checkContinue', (request, response) => ingest.handle(request, response, true));
  server.setTimeout(limits.requestMs + GRACE_MS);
}
