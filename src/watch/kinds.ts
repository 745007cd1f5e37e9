/**
 * Every kind of alert: how bad it is, what it is called, and what to do about it. One table, from which API, command line,
 * metrics and webhooks take their words.
 */

/** `critical`: lines are lost or will be, or nothing works. `warning`: somebody should look before it comes to that. */
export type Severity = 'critical' | 'warning';

interface KindOfAlert {
  readonly severity: Severity;
  readonly title: string;
  /** What to do, in plain words. */
  readonly advice: string;
}

export const ALERT_KINDS = {
  nothing_settles: {
    severity: 'critical',
    title: 'Lines come in and none is settled',
    advice:
      'Look at the jobs of this stream (`waybill jobs show <id>`): what they last answered, and whether they run at all. Nothing is lost: the lines wait on disk.',
  },
  stream_silent: {
    severity: 'warning',
    title: 'A steady stream has fallen silent',
    advice:
      'Look at its producers and forwarders, and at the configuration that they run with. Lines that were never sent cannot be brought back from here.',
  },
  job_failing: {
    severity: 'warning',
    title: 'A job does not get through',
    advice:
      'Correct its endpoint or credentials, or wake the receiver. The lines wait on disk, and an edit of the job is tried at once.',
  },
  backlog_ends: {
    severity: 'critical',
    title: 'A backlog will reach its end',
    advice:
      'Bring the destination back, point the job elsewhere, or raise `buffer.retentionMs`. Lines that wait longer than the retention are dropped as `expired`.',
  },
  disk_filling: {
    severity: 'warning',
    title: 'The disk will be full',
    advice:
      'Bring failing destinations back (`waybill status`), add disk, or shorten `buffer.holdbackMs`. At the high watermark nothing is accepted any more.',
  },
  disk_low: {
    severity: 'warning',
    title: 'The disk is short',
    advice:
      'Accounts above their fair share are refused now; all others go on. Add disk or bring the destinations of the largest backlogs back.',
  },
  disk_full: {
    severity: 'critical',
    title: 'The disk is full',
    advice:
      'Nothing is accepted until there is room. Add disk, or bring the destinations of the largest backlogs back. What was accepted is safe.',
  },
  lines_lost: {
    severity: 'critical',
    title: 'Lines were dropped',
    advice:
      'The job’s ledger (`waybill ledger --job <id>`) says how many, of which hour and why; malformed and refused lines are kept for fetching.',
  },
  corrupt_lines: {
    severity: 'critical',
    title: 'Lines cannot be read back',
    advice:
      'The disk has changed what was written. Check it, and run `waybill log check` on the data folder: it says which lines of which streams.',
  },
  books_drift: {
    severity: 'critical',
    title: 'The books do not balance',
    advice:
      'Accepted must equal settled and waiting. This is a bug or damage: keep the data folder, run `waybill log check`, and report it.',
  },
  configuration_refused: {
    severity: 'critical',
    title: 'A configuration was refused or could not be put in force',
    advice:
      'What ran before runs on. Look at the reason, correct the configuration, and publish it again.',
  },
  configuration_behind: {
    severity: 'critical',
    title: 'The newest configuration is not in force',
    advice: 'The shard runs with an older one. If this does not pass by itself, look at its log.',
  },
  configuration_read_only: {
    severity: 'critical',
    title: 'The configuration cannot be changed',
    advice:
      'The control store does not take changes. Delivery goes on with what is in force. Look at the disk and at the reason.',
  },
  shard_down: {
    severity: 'critical',
    title: 'A shard is down',
    advice:
      'It is started again by itself. If it does not come back, its last words in the log say why.',
  },
  shard_hung: {
    severity: 'critical',
    title: 'A shard hangs',
    advice:
      'It gives no sign of life. It is ended and started again by itself; nothing that was accepted is lost.',
  },
  alarm_logged: {
    severity: 'critical',
    title: 'The server has logged an alarm',
    advice: 'Look at the log around this time.',
  },
  too_many_alerts: {
    severity: 'critical',
    title: 'There are more alerts than can be listed',
    advice: 'Look for what they have in common: this is one large trouble, not many small ones.',
  },
} as const satisfies Record<string, KindOfAlert>;

export type AlertKind = keyof typeof ALERT_KINDS;
export const ALERT_KIND_NAMES = Object.keys(ALERT_KINDS) as readonly AlertKind[];
