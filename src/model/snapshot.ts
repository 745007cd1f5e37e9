/** What the data plane knows of the configuration: immutable, versioned, whole. */
import type { Scope, StreamKey } from './scope.ts';

/** Logpush's output options as stored: only what the customer set. Checked by `output-options.ts`. */
export interface OutputOptions {
  readonly output_type?: 'ndjson' | 'csv';
  readonly field_names?: readonly string[];
  readonly timestamp_format?: 'unixnano' | 'unix' | 'rfc3339' | 'rfc3339ms' | 'rfc3339ns';
  readonly sample_rate?: number;
  readonly batch_prefix?: string;
  readonly batch_suffix?: string;
  readonly record_prefix?: string;
  readonly record_suffix?: string;
  readonly record_delimiter?: string;
  readonly field_delimiter?: string;
  readonly record_template?: string;
  readonly 'CVE-2021-44228'?: boolean;
  /** Not offered: kept so that a client that sends its default finds it again. */
  readonly merge_subrequests?: false;
  readonly stringify_object?: false;
}

/** What shapes a job's content, as of one of its versions. */
export interface JobContent {
  readonly contentVersion: number;
  readonly filter: string;
  readonly outputOptions: OutputOptions | null;
}

/** One job as the data plane runs it. */
export interface JobConfig {
  readonly id: number;
  readonly name: string;
  readonly account: string;
  readonly scope: Scope;
  readonly dataset: string;
  readonly stream: StreamKey;
  readonly enabled: boolean;
  /** With its secrets, opened. Never logged, never shown by the data plane. */
  readonly destinationConf: string;
  /** Logpush's filter, as the customer's JSON text; empty: everything passes. */
  readonly filter: string;
  readonly outputOptions: OutputOptions | null;
  /** Upper bounds of a batch; 0: the engine's. */
  readonly maxUploadBytes: number;
  readonly maxUploadRecords: number;
  readonly maxUploadIntervalMs: number;
  /** Grows when filter, output options or sample change: what a plan pins. */
  readonly contentVersion: number;
  /** What shaped the content before, newest first: plans made then are still sent as they were planned (I7). */
  readonly olderContents?: readonly JobContent[];
  /** The snapshot's version in which the job last changed. */
  readonly version: number;
  /** Where it begins when it is first switched on; absent: with the next line. */
  readonly start?: StreamPlace;
  /** Lines before it that are not settled are not wanted by their owner any more. */
  readonly skipTo?: StreamPlace;
  /** A replay: the lines that it delivers, and whose they are. It makes no stream wanted. */
  readonly replay?: ReplayRange;
}

/** A place in a stream; it holds for one epoch. */
export interface StreamPlace {
  readonly epoch: string;
  readonly offset: number;
}

export interface ReplayRange {
  /** The job whose lines are delivered once more. */
  readonly of: number;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
}

export interface FieldConfig {
  readonly name: string;
  readonly type:
    | 'string'
    | 'int'
    | 'float'
    | 'bool'
    | 'timestamp'
    | 'object'
    | 'array[string]'
    | 'array[int]'
    | 'array[object]'
    | 'any';
  readonly description: string;
}

export interface DatasetConfig {
  readonly id: string;
  readonly scope: Scope['kind'];
  /** Empty: open, any field is taken as it comes. */
  readonly fields: readonly FieldConfig[];
  /** Check each line as whole JSON on arrival. */
  readonly strict: boolean;
}

export interface IngestTokenConfig {
  readonly id: string;
  /** Hex SHA-256 of the token. */
  readonly hash: string;
  /** Scopes that it may send for; `"all"`: every scope (a central receiver's). */
  readonly scopes: 'all' | readonly Scope[];
}

export interface ZoneConfig {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  /** Logpull's flag: whether its requests are to be kept for pulling, with or without a job. */
  readonly retention?: boolean;
}

/** An account as the data plane knows it. */
export interface AccountConfig {
  readonly id: string;
  readonly name: string;
  readonly ambientCredentials: boolean;
  /** Its weight in what is shared out when there is not enough; absent: 1. */
  readonly weight?: number;
  /** The share of the disk that its waiting lines may take; absent: no bound of its own. */
  readonly diskShare?: number;
}

/** The configuration in force, whole. */
export interface Snapshot {
  readonly version: number;
  readonly accounts: readonly AccountConfig[];
  readonly zones: readonly ZoneConfig[];
  readonly datasets: readonly DatasetConfig[];
  readonly jobs: readonly JobConfig[];
  /** Replays under way. They are delivered as jobs are, and route nothing. */
  readonly replays?: readonly JobConfig[];
  readonly tokens: readonly IngestTokenConfig[];
}
