/**
 * An HTTP/1.1 receiver on a bare socket that misbehaves to order: what a hostile or broken destination does cannot be said
 * with a well-behaved HTTP server. Reads requests with a Content-Length.
 */
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';

export type Script =
  /** Reads the whole request, waits `afterMs`, answers. */
  | {
      readonly do: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
      readonly afterMs?: number;
    }
  /** Reads the whole request and answers what `verdict` says of it; keeps it only if that is a success. */
  | {
      readonly do: 'judge';
      readonly verdict: (request: ReceivedRequest) => Answer;
      readonly afterMs?: number;
    }
  /** Answers as soon as the head has come, and reads on. */
  | { readonly do: 'answer early'; readonly status: number }
  | { readonly do: 'cut'; readonly when: 'before the body' | 'in the body' | 'after the body' }
  /** Reads everything and never answers. */
  | { readonly do: 'say nothing' }
  /** Reads the head and nothing more: the sender's buffers fill. */
  | { readonly do: 'read nothing' }
  | { readonly do: 'answer nonsense' }
  | { readonly do: 'answer with an endless head' }
  | { readonly do: 'answer with an endless body'; readonly status: number }
  /** A byte of the head, or of a body behind a status, every `everyMs`: a receiver that is never quite silent. */
  | { readonly do: 'trickle'; readonly what: 'head' | 'body'; readonly everyMs: number }
  /** Says 200 and half of the body that it announced, and is silent then. */
  | { readonly do: 'answer by half'; readonly status: number };

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface ScriptedReceiver {
  readonly port: number;
  readonly connections: () => number;
  /** Requests whose whole body has come. */
  readonly received: readonly ReceivedRequest[];
  /** What is done next; the last one is done again and again. */
  script(...next: readonly Script[]): void;
  close(): Promise<void>;
}

/** Requests to these paths are answered so whatever the script says, and are not kept: a service beside the receiver. */
export type Beside = Readonly<Record<string, (request: ReceivedRequest) => Answer>>;

const HEAD_END = Buffer.from('\r\n\r\n');

export async function startScriptedReceiver(
  tls?: { readonly cert: string; readonly key: string },
  beside: Beside = {},
): Promise<ScriptedReceiver> {
  const received: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let scripts: readonly Script[] = [{ do: 'answer', status: 200 }];
  const take = (): Script => {
    const [first, ...rest] = scripts;
    if (first === undefined) throw new Error('no script');
    if (rest.length > 0) scripts = rest;
    return first;
  };
  const onSocket = (socket: Socket): void => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    serve(socket, take, received, beside);
  };
  const server: Server = tls ? createTlsServer(tls, onSocket) : createTcpServer(onSocket);
  if (tls) server.on('tlsClientError', () => {});
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    received,
    script(...next) {
      scripts = next;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

/** A request on its way in. */
interface Incoming {
  readonly head: Pick<ReceivedRequest, 'method' | 'path' | 'headers'>;
  readonly script: Script;
  readonly bodyBytes: number;
}

/** Serves one connection, request after request. */
function serve(
  socket: Socket,
  take: () => Script,
  received: ReceivedRequest[],
  beside: Beside,
): void {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let incoming: Incoming | undefined;
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (incoming === undefined) {
      const held = Buffer.concat(chunks);
      const headEnd = held.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const head = parseHead(held.subarray(0, headEnd).toString('latin1'));
      const other = beside[head.path];
      const script = other ? ({ do: 'judge', verdict: other } as const) : take();
      incoming = { head, script, bodyBytes: Number(head.headers['content-length'] ?? 0) };
      chunks = [held.subarray(headEnd + HEAD_END.length)];
      bytes = chunks[0]?.length ?? 0;
      atHead(socket, incoming.script);
    }
    const { head, script, bodyBytes } = incoming;
    if (script.do === 'cut' && script.when === 'in the body' && bytes > 0) return cutOff(socket);
    if (bytes < bodyBytes) return;
    const all = Buffer.concat(chunks);
    const request = { ...head, body: all.subarray(0, bodyBytes) };
    const answer = script.do === 'judge' ? script.verdict(request) : undefined;
    if (!beside[head.path] && (answer?.status ?? 200) < 300) received.push(request);
    chunks = [all.subarray(bodyBytes)];
    bytes -= bodyBytes;
    incoming = undefined;
    atEnd(
      socket,
      answer && script.do === 'judge' ? { ...script, ...answer, do: 'answer' } : script,
    );
  });
}

function parseHead(head: string): Pick<ReceivedRequest, 'method' | 'path' | 'headers'> {
  const [first = '', ...lines] = head.split('\r\n');
  const [method = '', path = ''] = first.split(' ');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { method, path, headers: Object.fromEntries(headers) as Record<string, string> };
}

function atHead(socket: Socket, script: Script): void {
  switch (script.do) {
    case 'cut':
      if (script.when === 'before the body') cutOff(socket);
      return;
    case 'answer early':
      socket.write(answerText(script.status, {}, ''));
      return;
    case 'read nothing':
      socket.pause();
      return;
    default:
  }
}

function atEnd(socket: Socket, script: Script): void {
  switch (script.do) {
    case 'answer': {
      const text = answerText(script.status, script.headers ?? {}, script.body ?? '');
      setTimeout(() => socket.write(text), script.afterMs ?? 0);
      return;
    }
    case 'cut':
      if (script.when === 'after the body') cutOff(socket);
      return;
    case 'answer nonsense':
      socket.end('220 mail.example ESMTP ready\r\n');
      return;
    case 'answer with an endless head':
      socket.write('HTTP/1.1 200 OK\r\n');
      pour(socket, `x-more: ${'a'.repeat(1000)}\r\n`);
      return;
    case 'answer with an endless body':
      socket.write(`HTTP/1.1 ${script.status} Whatever\r\ncontent-type: text/plain\r\n\r\n`);
      pour(socket, 'b'.repeat(16 * 1024));
      return;
    case 'trickle':
      return trickle(socket, script.what, script.everyMs);
    case 'answer by half':
      socket.write(`HTTP/1.1 ${script.status} Whatever\r\ncontent-length: 100\r\n\r\nhalf`);
      return;
    default:
  }
}

function answerText(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
): Buffer {
  const all = { 'content-length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} Whatever\r\n${lines.join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

/** As rudely as the transport permits. */
function cutOff(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

function trickle(socket: Socket, what: 'head' | 'body', everyMs: number): void {
  socket.write(what === 'head' ? 'HTTP/1.1 200 OK\r\nx-slow: ' : 'HTTP/1.1 200 OK\r\n\r\n');
  const timer = setInterval(() => socket.write('a'), everyMs);
  socket.on('close', () => clearInterval(timer));
}

/** Writes for as long as the other side takes it. */
function pour(socket: Socket, text: string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(text));
  };
  socket.on('drain', more);
  more();
}
