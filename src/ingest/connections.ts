/**
 * Connections, shared out by address: from half of all on, an address that has more than an equal part gets no further one.
 * A load balancer, through which everybody comes, may have them all.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

interface ConnectionLimits {
  readonly connections: number;
  /** Connections that every address may have, however many addresses there are. */
  readonly connectionsPerAddress: number;
}

/** Share of all connections from which on they are shared out. */
const TIGHT_SHARE = 0.5;

/** Bounds the connections of a server, in all and by address. */
export function shareConnections(server: Server, limits: ConnectionLimits): void {
  const byAddress = new Map<string, number>();
  let open = 0;
  server.maxConnections = limits.connections;
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const own = byAddress.get(address) ?? 0;
    const equalPart = limits.connections / (byAddress.size + (own === 0 ? 1 : 0));
    const most = Math.max(limits.connectionsPerAddress, equalPart);
    const isTight = open >= limits.connections * TIGHT_SHARE;
    if (isTight && byAddress.size > (own === 0 ? 0 : 1) && own >= most) {
      socket.destroy();
      return;
    }
    open += 1;
    byAddress.set(address, own + 1);
    socket.once('close', () => {
      open -= 1;
      const left = (byAddress.get(address) ?? 1) - 1;
      if (left === 0) byAddress.delete(address);
      else byAddress.set(address, left);
    });
  });
}
