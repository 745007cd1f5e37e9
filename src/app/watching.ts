import { openOrSetAside } from './set-aside.ts';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Control } from '../control/index.ts';
import type { Books, Metric } from '../ledger/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { GuardedDialler } from '../lib/net/dialler.ts';
import type { Random } from '../lib/random.ts';
import type { Waybill } from '../model/delivery.ts';
import { limits } from '../model/limits.ts';
import type { Config } from '../model/settings.ts';
import {
  ALERT_KIND_NAMES,
  openAlertStore,
  Watcher,
  Webhooks,
  messageStore,
  webhookStore,
} from '../watch/index.ts';
import type { Alert, AlertStore, AuditedJob, Beat, WebhookDesk } from '../watch/index.ts';
import type { Shards } from './shards/shards.ts';
import type { ShardWatchState } from './shards/shard-thread.ts';

export interface WatchingOptions {
  /** The ledger's folder. */
  readonly folder: string;
  readonly config: Config;
  readonly control: () => Control | undefined;
  readonly books: () => Books | undefined;
  readonly shards: () => Shards;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly dialler: GuardedDialler;
}

/** The watchdogs with everything that they are shown. */
export interface Watching {
  readonly watcher: Watcher;
  beat(beat: Beat): void;
  shardState(shard: number, state: ShardWatchState, detail: string): void;
  dropped(waybill: Waybill): void;
  /** Writes down what `dropped` was told. */
  keepDropped(): void;
  alarm(event: string, detail: string | undefined): void;
  published(version: number): void;
  list(): readonly Alert[];
  webhooks(): WebhookDesk | undefined;
  /** Opens the webhooks, once the control room is there to unseal them. */
  openWebhooks(control: Control): void;
  metrics(): readonly Metric[];
  close(): void;
}

/** @throws what SQLite throws when the alerts' file cannot be opened */
export function watching(options: WatchingOptions): Watching {
  const { config, clock, diagnostics, folder } = options;
  const store = openOrSetAside(join(folder, 'alerts.db'), openAlertStore, diagnostics);
  let hooks: Webhooks | undefined;
  const watcher = new Watcher({
    store,
    clock,
    diagnostics,
    limits: limits.watch,
    retentionMs: config.buffer.retentionMs,
    diskMarks: { low: config.buffer.lowWatermark, high: config.buffer.highWatermark },
    // Before the control room is open nothing is known to be off.
    jobStanding: (job) => options.control()?.jobStanding(job) ?? 'on',
    streamWanted: (stream) => options.control()?.streamWanted(stream) ?? true,
    tell: (notice) => hooks?.tell(notice),
  });
  const audit = auditor(options, watcher);
  const stops = [
    clock.every(limits.watch.beatMs, () => watcher.tick()),
    clock.every(limits.watch.auditMs, () => void audit.next()),
  ];
  return {
    watcher,
    beat(beat) {
      audit.seen(beat);
      watcher.beat(beat);
    },
    shardState: (shard, state, detail) => shardState(watcher, shard, state, detail),
    dropped(waybill) {
      const { job, stream, hour, atMs } = waybill;
      for (const [reason, lines] of Object.entries(waybill.counts.dropped)) {
        if (lines) watcher.lost({ job, stream, reason, lines, hour, atMs });
      }
    },
    keepDropped: () => watcher.alerts.keep(),
    alarm: (event, detail) => watcher.logged(event, detail),
    published: (version) => watcher.published(version),
    list: () => watcher.alerts.list(),
    metrics: () => [...alertMetrics(watcher), ...webhookMetrics(hooks)],
    webhooks: () => hooks,
    openWebhooks(control) {
      hooks = openWebhooks(options, store, control);
    },
    close() {
      for (const stop of stops) stop();
      watcher.close();
      hooks?.close();
      store.close();
    },
  };
}

/** Webhooks behind a guarded dialler of this thread's own: a customer chooses where they go. */
function openWebhooks(options: WatchingOptions, alerts: AlertStore, control: Control): Webhooks {
  const { config, clock, random, diagnostics, dialler } = options;
  const store = webhookStore(alerts, {
    seal: (text) => control.sealText(text),
    open: (sealed) => control.openText(sealed),
  });
  return new Webhooks({
    store,
    messages: messageStore(alerts),
    clock,
    random,
    diagnostics,
    limits: limits.watch,
    exchange: {
      dialler,
      attemptMs: limits.watch.webhookAttemptMs,
      stallMs: limits.watch.webhookAttemptMs,
      responseBytes: limits.deliver.responseBytes,
    },
    accountOf: (stream) => control.accountOfStream(stream),
    server: hostname(),
    allowHttp: config.destinations.allowHttp,
  });
}

function webhookMetrics(hooks: Webhooks | undefined): readonly Metric[] {
  if (!hooks) return [];
  const { sent, givenUp, queued } = hooks.sums();
  const one = (name: string, type: Metric['type'], help: string, value: number): Metric => ({
    name: `waybill_webhook_messages_${name}`,
    type,
    help,
    series: [{ value }],
  });
  return [
    one('sent_total', 'counter', 'Messages that webhooks have taken since the start.', sent),
    one('given_up_total', 'counter', 'Messages that no attempt got through.', givenUp),
    one('queued', 'gauge', 'Messages that wait.', queued),
  ];
}

function shardState(watcher: Watcher, shard: number, state: ShardWatchState, detail: string): void {
  const about = { subject: `shard ${shard}`, stream: null, job: null, facts: {} };
  switch (state) {
    case 'running':
      watcher.over('shard_down', about.subject);
      watcher.over('shard_hung', about.subject);
      return;
    case 'down':
      watcher.report({ ...about, kind: 'shard_down', text: `Its thread has ended: ${detail}.` });
      return;
    case 'hung':
      watcher.report({ ...about, kind: 'shard_hung', text: `It hangs: ${detail}.` });
      return;
  }
}

/** Compares the shards' totals with the books (I2), a few jobs at a time: those that were at work, in turn. */
function auditor(options: WatchingOptions, watcher: Watcher) {
  const due = new Set<number>();
  let underWay = false;
  const compare = async (jobs: readonly number[]): Promise<readonly AuditedJob[]> => {
    const books = options.books();
    if (!books) return [];
    return await books.at(
      () => options.shards().cut(jobs, 'refuse'),
      (cut) =>
        cut.jobs.map((job) => {
          const { total, hours } = books.job(job, AUDITED_HOURS);
          const settled = books.formerJob(job.job);
          return {
            job: job.job,
            stream: job.stream,
            unbalanced: [total, ...hours]
              .filter((row) => !row.balanced)
              .map((row) => row.hour ?? 'total'),
            settledByShard: total.accepted - total.waiting,
            settledByBooks: settled ? settled.head - settled.start : 0,
          };
        }),
    );
  };
  return {
    seen(beat: Beat): void {
      for (const { jobs } of beat.streams) {
        for (const { job } of jobs) if (due.size < AUDITS_DUE) due.add(job);
      }
    },
    async next(): Promise<void> {
      if (underWay || due.size === 0) return;
      underWay = true;
      const jobs = [...due.values().take(limits.watch.auditJobs)];
      for (const job of jobs) due.delete(job);
      try {
        for (const audited of await compare(jobs)) watcher.audited(audited);
      } catch (error) {
        // The shard is down or the disk is full; both have alerts of their own.
        options.diagnostics.debug('books could not be audited', { error: String(error) });
      } finally {
        underWay = false;
      }
    },
  };
}

/** Every kind with how many fire, also when none does; and the alerts themselves, up to a bound. */
function alertMetrics({ alerts }: Watcher): readonly Metric[] {
  return [
    {
      name: 'waybill_alerts_firing',
      type: 'gauge',
      help: 'Alerts that fire, by kind.',
      series: ALERT_KIND_NAMES.map((kind) => ({
        labels: { kind },
        value: alerts.firingCount(kind),
      })),
    },
    {
      name: 'waybill_alerts_begun_total',
      type: 'counter',
      help: 'Alerts that have begun since the start, by kind.',
      series: ALERT_KIND_NAMES.map((kind) => ({ labels: { kind }, value: alerts.begun(kind) })),
    },
    {
      name: 'waybill_alert_firing',
      type: 'gauge',
      help: 'One series for each alert that fires.',
      series: alerts
        .firing()
        .slice(0, limits.watch.series)
        .map(({ kind, severity, subject }) => ({ labels: { kind, severity, subject }, value: 1 })),
    },
  ];
}

/** Hours of a job that one audit looks at, and jobs that may wait for theirs. */
const AUDITED_HOURS = 48;
const AUDITS_DUE = 100_000;
