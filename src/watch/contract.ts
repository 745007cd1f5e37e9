/** What the room is told, what it says, and what it is handed. */
import type { limits } from '../model/limits.ts';
import type { AlertKind, Severity } from './kinds.ts';

export type WatchLimits = { readonly [Name in keyof (typeof limits)['watch']]: number };

/** Numbers and names behind an alert's text. Never a secret, never a customer's line. */
type Facts = Readonly<Record<string, string | number | null>>;

/** What a rule has found. */
export interface Finding {
  readonly kind: AlertKind;
  /** What it is about: `job 12`, `stream zones/shop/http_requests`, `server`. One alert for each kind and subject. */
  readonly subject: string;
  /** Whose business it is besides the operator's: the stream says which scope. Null: the operator's alone. */
  readonly stream: string | null;
  readonly job: number | null;
  readonly text: string;
  readonly facts: Facts;
}

export interface Alert extends Finding {
  readonly id: number;
  readonly severity: Severity;
  /** What the kind is called, and what to do about it. */
  readonly title: string;
  readonly advice: string;
  readonly state: 'firing' | 'resolved';
  /** Wall time at which it last began, and at which it ended. */
  readonly sinceMs: number;
  readonly resolvedMs: number | null;
  /** How often it has begun. */
  readonly times: number;
  /** Wall time at which somebody was last told of it; null: never. */
  readonly toldMs: number | null;
}

/** Why somebody is told of an alert. */
type NoticeReason = 'firing' | 'resolved' | 'reminder' | 'test';

export interface Notice {
  readonly reason: NoticeReason;
  readonly alert: Alert;
}

/** How rules speak. A subject of which nothing is said stays as it is. */
export interface Verdicts {
  /** Begins the alert, or brings its text and facts up to date. */
  fire(finding: Finding): void;
  clear(kind: AlertKind, subject: string): void;
  isFiring(kind: AlertKind, subject: string): boolean;
  /** The alert as it fires now. */
  current(kind: AlertKind, subject: string): Alert | undefined;
  /** Alerts of a kind that fire, for rules that must look at what they said before a restart. */
  firing(kind: AlertKind): readonly Alert[];
}

/** One job in a shard's sign of life. */
export interface JobLook {
  readonly job: number;
  /** As `deliver` says it; `paused` and `closed` are not meant to deliver. */
  readonly state: 'idle' | 'waiting' | 'sending' | 'backing_off' | 'blocked' | 'paused' | 'closed';
  /** Lines settled since the job began. */
  readonly settled: number;
  readonly waiting: number;
  /** Wall time of reception of the oldest waiting line, at most an hour early; null when none waits. */
  readonly oldestWaitingMs: number | null;
  readonly failures: number;
  /** For its owner; null after a success. */
  readonly error: string | null;
}

/** One stream that had lines or has a job at work. */
export interface StreamLook {
  readonly stream: string;
  readonly head: number;
  readonly jobs: readonly JobLook[];
}

/** A shard's sign of life: how it stands, and some of its active streams in turn. */
export interface Beat {
  readonly shard: number;
  /** Grows when every active stream was shown once. From 1 on, what is not shown is idle. */
  readonly pass: number;
  /** Version of the configuration that is in force there. */
  readonly version: number;
  readonly corruptLines: number;
  readonly diskUsedShare: number;
  readonly streams: readonly StreamLook[];
}

/** Lines that a waybill settled without delivery. */
export interface Loss {
  readonly job: number;
  readonly stream: string;
  readonly reason: string;
  readonly lines: number;
  /** UTC hour of their reception, in hours since 1970. */
  readonly hour: number;
  /** Wall time of the waybill. */
  readonly atMs: number;
}

/** What the configuration says of a job: whether it is meant to deliver. */
export type JobStanding = 'on' | 'off' | 'gone';

/** How a job's total and hours stand in the books, at one instant. */
export interface AuditedJob {
  readonly job: number;
  readonly stream: string;
  /** Rows (total and hours) that do not balance, in words. */
  readonly unbalanced: readonly string[];
  /** Settled lines as the shard counts them, and as the books do. */
  readonly settledByShard: number;
  readonly settledByBooks: number;
}

/** `json`: one object with the alerts. `slack`: a text that Slack's incoming webhooks and their likes show. */
export type WebhookForm = 'json' | 'slack';

/** Where alerts are sent, as its owner sees it: the URL is a secret and shown masked. */
export interface WebhookView {
  readonly id: number;
  /** Null: the operator's, told of everything. */
  readonly account: string | null;
  readonly form: WebhookForm;
  /** With everything behind the host masked. */
  readonly url: string;
  readonly isSigned: boolean;
  /** Messages delivered, given up, and waiting. */
  readonly sent: number;
  readonly givenUp: number;
  readonly queued: number;
  /** How the last attempt ended; null before the first. */
  readonly last: {
    readonly atMs: number;
    readonly outcome: 'accepted' | 'failed';
    readonly status: number | null;
    readonly error: string | null;
  } | null;
}

export interface NewWebhook {
  readonly account: string | null;
  readonly form: WebhookForm;
  readonly url: string;
  /** As the Standard Webhooks specification writes keys: `whsec_` and base64; absent: not signed. */
  readonly secret?: string;
}

/** Webhooks as the control API sees them. */
export interface WebhookDesk {
  list(account: string | null): readonly WebhookView[];
  /** Undefined when it can be used; otherwise which field is wrong, and why. */
  problem(webhook: NewWebhook): { readonly path: string; readonly message: string } | undefined;
  /** `full`: there are as many as allowed. */
  add(webhook: NewWebhook): WebhookView | 'full' | 'failed';
  /** Whether there was one. */
  remove(account: string | null, id: number): boolean;
  /** Sends one message at once; undefined when there is no such webhook. */
  test(
    account: string | null,
    id: number,
  ): Promise<{ readonly delivered: boolean; readonly detail: string } | undefined>;
}

/** Alerts as the control API sees them. */
export interface AlertDesk {
  /** Those that fire, newest first, then those that are over, newest first. */
  list(): readonly Alert[];
  /** Undefined until they are open. */
  webhooks(): WebhookDesk | undefined;
}
