import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';

export interface DialTarget {
  readonly secure: boolean;
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
  /** For TLS: beside or in place of what is usual. */
  readonly certificates?: DialCertificates;
}

/** PEM texts. */
export interface DialCertificates {
  /** The client's own, with its chain. */
  readonly cert?: string;
  readonly key?: string;
  /** Authorities to trust in place of the usual ones. */
  readonly ca?: readonly string[];
}

/**
 * The one way out: every connection to a customer's destination goes through it.
 *
 * It resolves names itself (c-ares, never `dns.lookup`), refuses special addresses unless the operator opened them, and
 * dials the very address that it vetted. Agents built from it follow no redirect and keep connections alive.
 */
export interface GuardedDialler {
  /** For `http:`; each connection is vetted anew. */
  readonly httpAgent: HttpAgent;
  /** For `https:`; the certificate is checked against the name. */
  readonly httpsAgent: HttpsAgent;
  /**
   * A connection for what is not HTTP, vetted like every other. What goes wrong comes as the socket's `error`; it is
   * ready at `connect`, or with TLS at `secureConnect`.
   */
  connect(target: DialTarget): Socket;
  /**
   * A connection from `connect` has nothing to do for now. Those that rest are counted with the agents' own.
   *
   * @returns whether it may be kept; otherwise it has to be closed
   */
  rest(socket: Socket): boolean;
  /** A connection that rested is used again. */
  wake(socket: Socket): void;
  close(): void;
}
