/**
 * The contract of a destination. Each island (`file/`, `http/`, `s3/`, ...) exports one {@link DestinationKind} from its
 * `index.ts`; `catalog.ts` lists them. An island never imports another; its sender, and a
 * vendor's SDK with it, is loaded on the first `open`.
 */
import type { GuardedDialler } from '../lib/net/dialler.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { Clock } from '../lib/clock.ts';

/** One setting, as API, command line and console describe it to people. */
export interface SettingDescription {
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  readonly secret: boolean;
  readonly example?: string;
}

export interface DestinationDescription {
  /** `s3`, `https`, `file`, ...: the schemes of `destination_conf` that it answers to. */
  readonly schemes: readonly string[];
  readonly title: string;
  /** The form of `destination_conf`, for messages. */
  readonly form: string;
  readonly settings: readonly SettingDescription[];
  /** What a repeated batch does there. */
  readonly repeats: 'replaces' | 'appends';
  /** What the receiver takes at most in one batch; absent: the engine's. */
  readonly batchBytes?: number;
  readonly batchLines?: number;
  /** One batch of a job at a time, in the order of offsets. Absent: several at once. */
  readonly inOrder?: true;
}

/**
 * A piece of the text around a line. `offset` is the line's number in its stream, `timeMs` and `timeNs` its reception time
 * (nanoseconds are made distinct by the offset's last six digits): the same in every repeat, whatever batch the line is in.
 */
export type FramePiece =
  | string
  | { readonly put: 'job' | 'epoch' | 'offset' | 'timeMs' | 'timeNs' };

/**
 * How lines stand in a body, for receivers that do not take them as they are. Lines are bytes between which text is put:
 * nothing is parsed. Only batches of NDJSON are framed; what output options make of a batch goes out as they say.
 */
export interface Framing {
  readonly contentType: string;
  /** Once around the batch. */
  readonly prefix: string;
  readonly suffix: string;
  /** Around each line, in place of its newline. */
  readonly before: readonly FramePiece[];
  readonly after: readonly FramePiece[];
  /** Between lines. */
  readonly delimiter: string;
  /** `json string`: the line stands between quotes, with what JSON wants escaped escaped. */
  readonly line: 'as it is' | 'json string';
}

/** What is wrong with a `destination_conf`: which part, why, what would be right. Never quotes a secret. */
export interface ConfProblem {
  readonly setting: string;
  readonly message: string;
}

/** What the operator allows; handed in by `app`. */
export interface DestinationPolicy {
  readonly allowHttp: boolean;
  /** Folders that `file://` may write below; empty: none. */
  readonly fileRoots: readonly string[];
  /** Whether the account may use the machine's own cloud credentials; absent: no. */
  readonly ambientCredentials?: boolean;
}

/** A destination's settings after parsing. `address` names it for people, without secrets. */
export interface ParsedDestination {
  readonly scheme: string;
  readonly address: string;
  /** The same conf with each secret replaced by `***`. */
  readonly redacted: string;
  /** Short hash of what identifies the place (not its credentials), for waybills. */
  readonly fingerprint: string;
  /** How lines stand in a body; absent: as they are, one a row. */
  readonly framing?: Framing;
  /** `identity`: the receiver takes no gzip. Absent: gzip. */
  readonly encoding?: 'identity';
}

/** One batch as it goes out. */
export interface Batch {
  /** The plan's id: the same in every repeat. */
  readonly id: string;
  readonly job: number;
  readonly stream: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly lines: number;
  /** Object name without the destination's prefix, `<start>_<end>_<id>.log.gz`. */
  readonly name: string;
  readonly receivedMs: { readonly first: number; readonly last: number };
  readonly contentType: string;
  /** Absent: the body is gzip. `identity`: it is as it stands, as an ownership challenge is, and what takes no gzip gets. */
  readonly encoding?: 'identity';
  /** In parts so that nothing needs copying. */
  readonly body: readonly Buffer[];
  readonly bodyBytes: number;
  readonly plainBytes: number;
  /** Hex SHA-256 of the body. */
  readonly sha256: string;
  /**
   * For a sender that is through with the body, and so is everybody whom it handed it to: its memory is given back at once. One that
   * does not know need not call it.
   */
  readonly done?: () => void;
}

/**
 * What a destination says of one batch; the runner acts on `kind` alone.
 *
 * `reason` is for the job's owner: plain words, no inner address, no body, no secret.
 */
export type SendOutcome =
  | { readonly kind: 'accepted'; readonly receipt: string; readonly status?: number }
  /** The receiver has kept every line but these, which it calls bad. Fewer than all. */
  | {
      readonly kind: 'partial';
      readonly receipt: string;
      readonly status?: number;
      /** Places in the batch, from 0, ascending. */
      readonly refused: readonly number[];
      /** What the receiver says of them, in plain words. */
      readonly reason: string;
    }
  /** The same bytes may pass later. */
  | {
      readonly kind: 'retry';
      readonly reason: string;
      readonly status?: number;
      readonly afterMs?: number;
    }
  /** Too large; try halves. */
  | { readonly kind: 'split'; readonly reason: string; readonly status?: number }
  /** The receiver says that these very bytes are bad. */
  | { readonly kind: 'reject'; readonly reason: string; readonly status?: number };

export interface Sender {
  /** One attempt. Rejects only for our own bugs; an abort answers `retry`. */
  send(batch: Batch, signal: AbortSignal): Promise<SendOutcome>;
  close(): Promise<void>;
}

export type Via = (batch: Pick<Batch, 'stream' | 'from' | 'to'>) => readonly string[];

/** Everything outside that a destination may use. */
export interface DestinationTools {
  readonly dialler: GuardedDialler;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly policy: DestinationPolicy;
  /** Whether the account may use the machine's own cloud credentials. */
  readonly ambientCredentials: boolean;
  readonly attemptMs: number;
  readonly stallMs: number;
  readonly responseBytes: number;
  /** The account's external id for roles in AWS; absent: roles are not offered. */
  readonly externalId?: string;
  /** The operator's own keys with which roles are assumed. */
  readonly roleKeys?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Servers that a batch's lines have passed through, this one first: said in each request, so that a loop is found. */
  readonly via?: Via;
}

export interface DestinationKind {
  readonly describe: DestinationDescription;
  /** Checks the conf without touching the network. */
  parse(conf: string, policy: DestinationPolicy): ParsedDestination | readonly ConfProblem[];
  /** Makes a sender. The conf has passed `parse`. */
  open(conf: string, tools: DestinationTools): Promise<Sender>;
}
