/**
 * Loss is told in band: each destination gets a marker that says how many of its lines were lost, of which time, and why. This is
 * the room's door. What is owed lies in a store of its own on the control thread; a shard carries the markers.
 */
export { LossDesk } from './desk.ts';
export { openLossStore } from './store.ts';
export type { LossStore } from './store.ts';
export type { LossAnswer, LossMarker } from './contract.ts';
