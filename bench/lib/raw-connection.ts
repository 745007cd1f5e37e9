/**
 * One connection of a light producer: a raw socket, one request under way. node:http's client costs about as much for a request
 * of 64 KiB as the server that takes it in, and whoever sends shares the two cores with what is measured. It reads what
 * our server sends: answers with a `content-length`.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export interface Answer {
  /** 0: the connection was lost before an answer. */
  readonly status: number;
  readonly body: string;
}

const LOST: Answer = { status: 0, body: '' };
const END_OF_HEAD = '\r\n\r\n';

export class RawConnection {
  readonly #port: number;
  #socket: Socket | undefined;
  #read = '';
  #answered: ((answer: Answer) => void) | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** @param head the request's head, its empty line included */
  post(head: string, body: Uint8Array): Promise<Answer> {
    const socket = (this.#socket ??= this.#open());
    return new Promise((resolve) => {
      this.#answered = resolve;
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => this.#take(piece));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#answer(LOST);
    });
    return socket;
  }

  #take(piece: string): void {
    this.#read += piece;
    const headEnd = this.#read.indexOf(END_OF_HEAD);
    if (headEnd === -1) return;
    const head = this.#read.slice(0, headEnd);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) throw new Error(`an answer without a length: ${head}`);
    const bodyAt = headEnd + END_OF_HEAD.length;
    if (this.#read.length < bodyAt + length) return;
    const body = this.#read.slice(bodyAt);
    if (/\r\nconnection: close/i.test(head)) {
      this.#socket?.destroy();
      this.#socket = undefined;
    }
    this.#answer({ status: Number(head.slice(9, 12)), body });
  }

  #answer(answer: Answer): void {
    const answered = this.#answered;
    this.#answered = undefined;
    this.#read = '';
    answered?.(answer);
  }
}
