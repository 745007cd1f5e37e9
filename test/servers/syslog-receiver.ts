/**
 * A syslog receiver that keeps to RFC 5424 and octet counting to the letter, and misbehaves to order. A connection whose
 * bytes are not messages from first to last is reset and nothing of it is kept.
 */
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export type SyslogScript =
  | 'reads all'
  | 'reads slowly'
  | 'reads nothing'
  | 'cuts at once'
  | 'cuts in the middle'
  /** After everything has come, in place of a good end. */
  | 'cuts at the end'
  | 'never ends';

export interface SyslogReceiver {
  readonly port: number;
  /** What each connection brought that ended in good order. */
  readonly batches: readonly { readonly process: string; readonly lines: readonly string[] }[];
  script(next: SyslogScript): void;
  close(): Promise<void>;
}

/** RFC 5424 §6: HEADER, STRUCTURED-DATA, MSG. */
const MESSAGE =
  /^<(\d|[1-9]\d|1[0-8]\d|19[01])>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) (-|\[[^\]]*\]) ([\s\S]*)$/;

export async function startSyslogReceiver(certificate?: {
  readonly cert: string;
  readonly key: string;
}): Promise<SyslogReceiver> {
  const batches: { process: string; lines: string[] }[] = [];
  /** Below TLS, by the port of the other side: a TLS socket cannot be reset by itself. */
  const sockets = new Map<number, Socket>();
  let script: SyslogScript = 'reads all';
  const onSocket = (socket: Socket): void => {
    socket.on('error', () => {});
    const cutOff = (): void => void sockets.get(socket.remotePort ?? 0)?.resetAndDestroy();
    serve(socket, script, batches, cutOff);
  };
  const server = certificate
    ? createTlsServer({ ...certificate, allowHalfOpen: true }, onSocket)
    : createTcpServer({ allowHalfOpen: true }, onSocket);
  server.prependListener('connection', (socket: Socket) => {
    const { remotePort = 0 } = socket;
    sockets.set(remotePort, socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(remotePort));
  });
  if (certificate) server.on('tlsClientError', () => {});
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    batches,
    script(next) {
      script = next;
    },
    close() {
      for (const socket of sockets.values()) socket.destroy();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

function serve(
  socket: Socket,
  script: SyslogScript,
  batches: { process: string; lines: string[] }[],
  cutOff: () => void,
): void {
  if (script === 'cuts at once') return cutOff();
  if (script === 'reads nothing') return void socket.pause();
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    if (script === 'cuts in the middle') cutOff();
    if (script !== 'reads slowly') return;
    socket.pause();
    setTimeout(() => socket.resume(), 5);
  });
  socket.on('end', () => {
    if (script === 'cuts at the end') return cutOff();
    const read = messagesOf(Buffer.concat(chunks));
    if (!read) return cutOff();
    batches.push(read);
    if (script !== 'never ends') socket.end();
  });
}

/** @returns undefined when the bytes are anything but messages */
function messagesOf(bytes: Buffer): { process: string; lines: string[] } | undefined {
  const lines: string[] = [];
  let process = '';
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = bytes.subarray(at, space).toString('latin1');
    // NONZERO-DIGIT *DIGIT
    if (space < 0 || !/^[1-9]\d{0,8}$/.test(length)) return undefined;
    const end = space + 1 + Number(length);
    if (end > bytes.length) return undefined;
    const match = MESSAGE.exec(bytes.subarray(space + 1, end).toString('utf8'));
    if (!match) return undefined;
    process = match[5] ?? '';
    lines.push(match[8] ?? '');
    at = end;
  }
  return { process, lines };
}
