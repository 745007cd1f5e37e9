/** Ports for a server that ends and comes back while somebody keeps knocking. */
import { createServer } from 'node:net';

/**
 * Below all ports that systems give out by themselves. Whoever connects again and again to one of those, with nobody there, is
 * sooner or later given that same port for his own end: he is then connected to himself, and the server cannot listen there.
 */
const FIRST = 12_000;
const LAST = 30_000;

export interface Ports {
  readonly ingestPort: number;
  readonly controlPort: number;
}

/** Two free ports that nobody gets by chance while the server is away. */
export async function lastingPorts(): Promise<Ports> {
  const ingestPort = await freePort();
  let controlPort = ingestPort;
  while (controlPort === ingestPort) controlPort = await freePort();
  return { ingestPort, controlPort };
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
