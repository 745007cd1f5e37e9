/**
 * destinations: where batches go. One contract (`destination.ts`), one island each (`file/`, `http/`, `s3/`), one list
 * (`catalog.ts`). An island turns settings into a sender and a receiver's answers into outcomes; it never decides what
 * becomes of lines. Docs: docs/destinations/.
 */
export {
  describeDestinations,
  destinationScheme,
  hasProblems,
  openDestination,
  parseDestination,
  redactDestination,
} from './catalog.ts';
export { Framer, frameLines } from './framing.ts';
export { Receivers, waybillSender } from './waybill/index.ts';
export type { ReceiverState, WaybillReceiver } from './waybill/index.ts';
export type {
  Batch,
  ConfProblem,
  DestinationDescription,
  DestinationKind,
  DestinationPolicy,
  DestinationTools,
  Framing,
  ParsedDestination,
  Sender,
  SendOutcome,
  SettingDescription,
} from './destination.ts';
