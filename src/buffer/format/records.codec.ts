/**
 * Records that are no blocks: a frame and, but for the index, one JSON object. They are our own and small; a customer's
 * line never stands in one.
 */
import { hash } from 'node:crypto';

import type { Plan, Waybill } from '../../model/delivery.ts';
import type { RefusalCount } from '../contract.ts';
import { decodeBlock } from './block.codec.ts';
import type { BlockRecord } from './block.codec.ts';
import { crcHolds, damaged, FRAME_BYTES, readFrame, sealFrame, writeFrame } from './frame.ts';
import type { Frame, KindName, Unreadable } from './frame.ts';
import { decodeIndexPage } from './index-page.ts';
import type { IndexPageRecord } from './index-page.ts';

/** The first record of a log: whoever finds it at the log's start knows that nothing was trimmed. */
export interface GenesisRecord {
  readonly createdMs: number;
}

export interface StreamRecord {
  readonly id: number;
  readonly key: string;
  readonly account: string;
  readonly epoch: string;
}

export type JobRecord =
  | {
      readonly event: 'opened';
      readonly job: number;
      readonly stream: number;
      /** Where its books begin. A job that is known goes on where it stopped, whatever this says. */
      readonly start: number;
      readonly atMs: number;
      /** Where an earlier life of the job stopped its chain: it goes on from there. */
      readonly sequence: number;
      readonly chain: string | null;
      /** A replay: where its lines end. Makes the record one of format 2. */
      readonly end?: number;
      /** Stands again at the end of its group, so that one flipped bit does not lose the cursor. */
      readonly echo?: true;
    }
  | { readonly event: 'closed'; readonly job: number; readonly atMs: number }
  | {
      readonly event: 'forgotten';
      readonly job: number;
      readonly stream: number;
      readonly atMs: number;
      /** Where it had settled its stream, and where its chain stopped. */
      readonly cursor: number;
      readonly sequence: number;
      readonly chain: string | null;
    };

export interface PlanRecord {
  readonly job: number;
  readonly plans: readonly Plan[];
  readonly replaces?: string;
}

/** From now on nothing reads the stream's lines before `to`: their owner ordered it. Always of format 2. */
export interface ErasureRecord {
  /** The order's id, as the control store knows it. */
  readonly order: string;
  readonly stream: number;
  readonly to: number;
  readonly atMs: number;
}

/**
 * Where the streams end that a group's blocks belong to, said once more behind the blocks: a block whose headers decay takes its
 * lines along, and not the knowledge whose they were. Always of format 3.
 */
export interface HeadsRecord {
  /** Per stream the lines that the group added, and when the last of them was received. */
  readonly heads: readonly (readonly [
    stream: number,
    from: number,
    to: number,
    receivedMs: number,
  ])[];
}

export interface RefusalsRecord {
  readonly sequence: number;
  readonly entries: readonly RefusalCount[];
}

export type BufferRecord =
  | BlockRecord
  | IndexPageRecord
  | ({ readonly serviceMs: number } & (
      | { readonly kind: 'genesis'; readonly body: GenesisRecord }
      | { readonly kind: 'stream'; readonly body: StreamRecord }
      | { readonly kind: 'job'; readonly body: JobRecord }
      | { readonly kind: 'plan'; readonly body: PlanRecord }
      | { readonly kind: 'waybill'; readonly body: Waybill; readonly hash: string }
      | { readonly kind: 'refusals'; readonly body: RefusalsRecord }
      | { readonly kind: 'erasure'; readonly body: ErasureRecord }
      | { readonly kind: 'heads'; readonly body: HeadsRecord }
    ));

function encodeJson(kind: KindName, serviceMs: number, payload: Buffer, version = 1): Buffer {
  const record = Buffer.alloc(FRAME_BYTES + payload.length);
  writeFrame(record, { kind, identities: 0, payloadBytes: payload.length, serviceMs, version });
  payload.copy(record, FRAME_BYTES);
  sealFrame(record);
  return record;
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

export const encodeGenesis = (serviceMs: number, body: GenesisRecord): Buffer =>
  encodeJson('genesis', serviceMs, json(body));
export const encodeStream = (serviceMs: number, body: StreamRecord): Buffer =>
  encodeJson('stream', serviceMs, json(body));
export const encodeJob = (serviceMs: number, body: JobRecord): Buffer =>
  encodeJson('job', serviceMs, json(body), 'end' in body && body.end !== undefined ? 2 : 1);
export const encodeErasure = (serviceMs: number, body: ErasureRecord): Buffer =>
  encodeJson('erasure', serviceMs, json(body), 2);
export const encodeHeads = (serviceMs: number, body: HeadsRecord): Buffer =>
  encodeJson('heads', serviceMs, json(body), 3);
export const encodePlan = (serviceMs: number, body: PlanRecord): Buffer =>
  encodeJson('plan', serviceMs, json(body));
export const encodeRefusals = (serviceMs: number, body: RefusalsRecord): Buffer =>
  encodeJson('refusals', serviceMs, json(body));

/** The waybill's record. Its payload is {@link waybillBytes}: what the chain hashes. */
export function encodeWaybill(serviceMs: number, waybill: Waybill): Buffer {
  return encodeJson('waybill', serviceMs, waybillBytes(waybill));
}

/** A waybill's bytes, the same wherever they are made: JSON in UTF-8, keys in the order that stands here. */
export function waybillBytes(waybill: Waybill): Buffer {
  const { counts, range } = waybill;
  return json({
    job: waybill.job,
    sequence: waybill.sequence,
    stream: waybill.stream,
    epoch: waybill.epoch,
    range: { from: range.from, to: range.to },
    hour: waybill.hour,
    counts: {
      delivered: counts.delivered,
      excluded: sorted(counts.excluded),
      dropped: sorted(counts.dropped),
    },
    plan: waybill.plan,
    sha256: waybill.sha256,
    plainBytes: waybill.plainBytes,
    sentBytes: waybill.sentBytes,
    receipt: waybill.receipt,
    destination: waybill.destination,
    configVersion: waybill.configVersion,
    atMs: waybill.atMs,
    previous: waybill.previous,
  });
}

/** The link of the chain that the job's next waybill names: hex SHA-256 of {@link waybillBytes}. */
export function waybillHash(bytes: Uint8Array): string {
  return hash('sha256', bytes);
}

function sorted(counts: Readonly<Partial<Record<string, number>>>): Record<string, number> {
  const entries = Object.entries(counts).filter((entry): entry is [string, number] => !!entry[1]);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * One record of the log.
 *
 * @param lines whether a block's stored bytes are verified too
 */
export function decodeRecord(record: Buffer, lines: 'verify' | 'skip'): BufferRecord | Unreadable {
  const frame = readFrame(record);
  if (frame.kind === 'damaged' || frame.kind === 'newer') return frame;
  if (frame.kind === 'block') return decodeBlock(record, lines);
  if (!crcHolds(record)) return damaged('CRC-32 of the record differs');
  const payload = record.subarray(FRAME_BYTES);
  if (frame.kind === 'index') return decodeIndexPage(payload, frame.serviceMs);
  return decodeJson(frame.kind, frame, payload);
}

/** Whole by its CRC and of a version that we read, so its shape is the one that we wrote. */
function decodeJson(
  kind: Exclude<KindName, 'block' | 'index'>,
  { serviceMs }: Frame,
  payload: Buffer,
): BufferRecord | Unreadable {
  let body: unknown;
  try {
    body = JSON.parse(payload.toString('utf8'));
  } catch {
    return damaged('not JSON');
  }
  switch (kind) {
    case 'genesis':
      return { kind, serviceMs, body: body as GenesisRecord };
    case 'stream':
      return { kind, serviceMs, body: body as StreamRecord };
    case 'job':
      return { kind, serviceMs, body: body as JobRecord };
    case 'plan':
      return { kind, serviceMs, body: body as PlanRecord };
    case 'waybill':
      return { kind, serviceMs, body: body as Waybill, hash: waybillHash(payload) };
    case 'refusals':
      return { kind, serviceMs, body: body as RefusalsRecord };
    case 'erasure':
      return { kind, serviceMs, body: body as ErasureRecord };
    case 'heads':
      return { kind, serviceMs, body: body as HeadsRecord };
  }
}
