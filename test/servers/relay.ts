/** A relay before a server that we did not write: it hands bytes on, and misbehaves to order. */
import { connect, createServer as createTcpServer, Socket } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { EXPIRED, VALID } from './certificates.ts';

/** How the relay behaves towards a request of the kind that carries records, or towards every connection. */
export type Mood =
  | 'good'
  /** Every answer comes a little later. */
  | 'slow'
  /** Closes each connection at once. */
  | 'cuts at once'
  /** Closes in the middle of a batch. */
  | 'cuts in the batch'
  /** Hands the batch on and cuts when the answer comes. */
  | 'loses the answer'
  | 'answers nonsense'
  | 'answers endlessly'
  /** Reads, and nothing comes back. */
  | 'is silent'
  /** Reads nothing. */
  | 'takes nothing';

export interface Relay {
  readonly port: number;
  /** Where to; the server's port. */
  lead(port: number): void;
  mood(mood: Mood): void;
  /** Speaks TLS from now on, with this certificate; absent: none. */
  dress(certificate: 'good' | 'expired' | undefined): void;
  close(): Promise<void>;
}

/** The end of one direction is handed on like its bytes. */
const HALF_OPEN = { allowHalfOpen: true };

/** Requests with fewer bytes carry no batch. */
const BATCH_BYTES = 1_000;

export async function startRelay(): Promise<Relay> {
  let target = 0;
  let mood: Mood = 'good';
  let certificate: 'good' | 'expired' | undefined;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    return socket;
  };
  const tls = {
    good: createTlsServer({ ...VALID, ...HALF_OPEN }),
    expired: createTlsServer({ ...EXPIRED, ...HALF_OPEN }),
  };
  for (const each of Object.values(tls)) {
    each.on('secureConnection', (socket) => relay(keep(socket), keep, target, () => mood));
    each.on('tlsClientError', () => {});
  }
  const server: Server = createTcpServer(HALF_OPEN, (socket) => {
    keep(socket);
    if (certificate) tls[certificate].emit('connection', socket);
    else relay(socket, keep, target, () => mood);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    lead: (port) => void (target = port),
    mood: (next) => void (mood = next),
    dress: (next) => void (certificate = next),
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

function relay(
  client: Socket | TLSSocket,
  keep: (socket: Socket) => Socket,
  port: number,
  moodNow: () => Mood,
): void {
  if (moodNow() === 'cuts at once') return void client.destroy();
  if (moodNow() === 'takes nothing') return void client.pause();
  const broker = keep(connect({ ...HALF_OPEN, port, host: '127.0.0.1' }));
  const lateMs = (): number => (moodNow() === 'slow' ? 60 : 0);
  let sent = 0;
  let isPouring = false;
  client.on('data', (chunk: Buffer) => {
    sent += chunk.length;
    const mood = moodNow();
    if (mood === 'answers nonsense') return void client.end('220 mail.example ESMTP ready\r\n');
    if (mood === 'answers endlessly') {
      if (!isPouring) pour(client);
      isPouring = true;
      return;
    }
    if (mood === 'is silent') return;
    if (mood === 'cuts in the batch' && sent > BATCH_BYTES) {
      client.destroy();
      return void broker.destroy();
    }
    broker.write(chunk);
  });
  broker.on('data', (chunk: Buffer) => {
    const mood = moodNow();
    if (mood === 'loses the answer' && sent > BATCH_BYTES) return void client.destroy();
    setTimeout(() => client.destroyed || client.write(chunk), lateMs());
  });
  client.on('end', () => moodNow() === 'is silent' || broker.end());
  broker.on('end', () => setTimeout(() => client.end(), 2 * lateMs()));
  client.on('close', () => broker.destroy());
  broker.on('close', () => setTimeout(() => client.destroy(), 50 + 4 * lateMs()));
}

/** An answer that is as long as a length can say, and never ends. */
function pour(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024, 0x7f)));
  };
  socket.on('drain', more);
  more();
}
