/**
 * forward: Waybill beside the producer. Takes lines on loopback HTTP, a Unix socket and from files, keeps them in the same
 * log and buffer as a server, and sends those that somebody wants to a server, each once.
 */
export { startForwarder } from './forwarder.ts';
export type { Forwarder } from './forwarder.ts';
