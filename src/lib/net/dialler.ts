import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';

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
  close(): void;
}
