/** ingest: the ways in for lines. Authenticates, bounds and frames, without parsing more of a line than it must. */
export { createIngest } from './ingest.ts';
export { shareConnections } from './connections.ts';
export { ingestServerOptions, serveIngest } from './server.ts';
export type {
  Ingest,
  IngestDeps,
  IngestLimits,
  IngestStats,
  KeepEntry,
  KeptLine,
} from './contract.ts';
