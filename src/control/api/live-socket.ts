/**
 * The WebSocket of Instant Logs (RFC 6455), on the control listener. There is no header to show a token in: the session's id,
 * 128 random bits, is the secret, as with Logpush.
 */
import { STATUS_CODES } from '../../lib/net/node-http.ts';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { Clock } from '../../lib/clock.ts';
import type { LiveDesk, LiveListener } from '../../live/index.ts';

/** Before a session's id. */
export const SESSION_PATH = '/instant-logs/ws/sessions/';

/** How long listeners may take to say good-bye when the server stops. */
const FAREWELL_MS = 1_000;

/** Of requests that ask for another protocol, only those to a session are listened to; all others are ordinary ones. */
export function isSocketRequest({ url = '' }: Pick<IncomingMessage, 'url'>): boolean {
  return url.startsWith(SESSION_PATH);
}

/** Lets listeners in. @param incomingBytes what one may send at once; it is not looked at */
export function acceptListeners(
  app: FastifyInstance,
  live: LiveDesk,
  clock: Clock,
  incomingBytes: number,
): void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: incomingBytes,
    // Its buffers would cost more than all else that a listener holds.
    perMessageDeflate: false,
  });
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const id = sessionOf(request);
    const verdict = id === undefined ? 404 : live.admit(id);
    if (id === undefined || verdict !== 'yes') return turnAway(socket, verdict);
    sockets.handleUpgrade(request, socket, head, (connection) => listen(connection, id, live));
  });
  app.addHook('preClose', () => sayGoodbye(sockets, clock));
}

/** Gives listeners a moment to answer, then hangs up. */
async function sayGoodbye({ clients }: WebSocketServer, clock: Clock): Promise<void> {
  const answered = [...clients].map((connection) => {
    connection.close(1001);
    return new Promise((resolve) => void connection.once('close', resolve));
  });
  const enough = new AbortController();
  await Promise.race([Promise.all(answered), clock.sleep(FAREWELL_MS, enough.signal)]);
  enough.abort();
  for (const connection of clients) connection.terminate();
}

function sessionOf(request: IncomingMessage): string | undefined {
  if (!isSocketRequest(request)) return undefined;
  const id = request.url?.slice(SESSION_PATH.length).split('?', 1)[0] ?? '';
  return /^[0-9a-f]{32}$/.test(id) ? id : undefined;
}

function turnAway(socket: Duplex, status: number | 'yes'): void {
  const retry = status === 429 ? 'Retry-After: 60\r\n' : '';
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
  socket.end(`${line}\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`);
}

function listen(connection: WebSocket, id: string, live: LiveDesk): void {
  const listener: LiveListener = {
    send: (text, sent) => connection.send(text, () => sent()),
    ping: () => connection.ping(),
    close: (code, reason) => connection.close(code, reason),
    drop: () => connection.terminate(),
  };
  const attachment = live.attach(id, listener);
  if (attachment === undefined) return connection.close(1001, 'the session has ended');
  connection.on('pong', () => attachment.alive());
  connection.on('close', () => attachment.detach());
  // A frame that breaks the protocol ends the connection; `close` follows.
  connection.on('error', () => {});
}
