/** peers: lines that one shard has received for another, by message between their threads. */
export { Peers } from './peers.ts';
export { Directory, Owners } from './directory.ts';
export type { StreamPlaces } from './directory.ts';
export type { Handed, HandedResult } from './contract.ts';
