/** A connection in between that can lose answers: what goes to the server arrives, what comes back may not. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface Swallow {
  readonly url: string;
  /** Answers are lost from now on, and their connections closed; or pass again. */
  swallow(loses: boolean): void;
  /** Answers lost so far. */
  readonly lost: number;
  close(): void;
}

/**
 * @param target where it leads to; asked at each connection
 * @param share besides: the share of answers that is lost at random
 */
export async function startSwallow(target: () => string, share = 0): Promise<Swallow> {
  let loses = false;
  let lost = 0;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const { hostname, port } = new URL(target());
    const far = connect({ host: hostname, port: Number(port) });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.on('data', (piece: Buffer) => {
      if (loses || Math.random() < share) {
        lost++;
        near.destroy();
      } else near.write(piece);
    });
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow: (next) => (loses = next),
    get lost() {
      return lost;
    },
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
