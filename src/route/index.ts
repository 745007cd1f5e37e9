/** route: from the snapshot in force to streams and jobs. Pure. */
export { routeTable, routeTableInTurns, streamsOf } from './route.ts';
export type { RouteTable } from './route.ts';
