/**
 * control: the configuration and who may change it; the API for people and their tools.
 *
 * The way of a change: a route (`api/`) checks who speaks (`auth/`) and what is sent; the desk (`desk.ts`) works out a draft
 * from the newest state, commits it to the store (`store/`, one change = one transaction = one version) and publishes the
 * new snapshot (`snapshot.ts`) to the data plane before the answer goes out. Secrets (`secrets/`) are sealed before they
 * reach the store, and opened only for a snapshot and for Logpush's GET. Of the lines themselves this room knows what the
 * data plane tells it (`data-plane.ts`), and it waits for that only so long (I9).
 */
export { openControl } from './control.ts';
export type { Control, ControlDeps } from './control.ts';
export type {
  DataPlane,
  DestinationTrial,
  JobStatusView,
  ScopeReach,
  ServerStatus,
  TrialOutcome,
} from './data-plane.ts';
export type {
  ErasureReach,
  ErasureSize,
  JobHold,
  LinesDesk,
  PlaceAsked,
  PlaceFound,
} from './lines-desk.ts';
export type { JobActivity } from './job-activity.ts';
export type { OwnershipChallenge } from './jobs/destination.ts';
export { rebuildOffline } from './rebuild-offline.ts';
