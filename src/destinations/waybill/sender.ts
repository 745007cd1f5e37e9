import { createHash } from 'node:crypto';
import { exchange } from '../../lib/net/exchange.ts';
import type { ExchangeTools } from '../../lib/net/exchange.ts';
import type { Batch, Sender, SendOutcome, Via } from '../destination.ts';
import { USER_AGENT, viaHeader } from '../web-send.ts';
import { verdictOf } from './answers.ts';
import type { Verdict } from './answers.ts';
import type { Receivers } from './receivers.ts';
import type { WaybillReceiver } from './settings.ts';

export interface WaybillSenderOptions {
  readonly receivers: Receivers;
  /** An ingest token; asked for at each attempt, so that it can be renewed. */
  readonly token: () => string;
  /** The stream there; absent: the same as here. */
  readonly stream?: string;
  readonly tools: ExchangeTools;
  /** Servers that a batch's lines have passed through, by which a loop is found. */
  readonly via?: Via;
}

/** A producer of this epoch numbers its requests by the offset of their first line. */
const EPOCH = 1;

/**
 * Sends batches to another Waybill: whole lines as they are stored, numbered so that a repeat is recognised however late it
 * comes. The producer is this job's stream (its epoch is made once and never again), the sequence the batch's first offset;
 * both follow from the plan, so that a restart of either side changes nothing.
 */
export function waybillSender(options: WaybillSenderOptions): Sender {
  const { receivers, tools } = options;
  return {
    async send(batch, signal) {
      let from = 0;
      for (;;) {
        const choice = receivers.choose(batch.id, from);
        if (choice.kind === 'wait')
          return { kind: 'retry', reason: choice.reason, afterMs: Math.ceil(choice.afterMs) };
        const result = await exchange(requestOf(choice.receiver, batch, options), tools, signal);
        const verdict = verdictOf(result, batch, tools.clock.wallMs());
        const next = settle(receivers, choice.index, batch, verdict);
        if (next !== 'another') return next;
        from = choice.index + 1;
      }
    },
    close: () => Promise.resolve(),
  };
}

/** Takes note of what a receiver said. @returns the batch's outcome, or that another receiver may be asked */
function settle(
  receivers: Receivers,
  index: number,
  batch: Batch,
  verdict: Verdict,
): SendOutcome | 'another' {
  switch (verdict.kind) {
    case 'accepted':
    case 'split':
    case 'reject':
      receivers.answered(index, batch.id, verdict.kind === 'accepted');
      return verdict;
    case 'unknown': {
      receivers.failed(index, verdict.reason, undefined, batch.id);
      const { reason, status } = verdict;
      return { kind: 'retry', reason, ...(status === undefined ? {} : { status }) };
    }
    case 'not_taken': {
      const { reason, status, afterMs, whose } = verdict;
      if (whose === 'receiver') {
        receivers.failed(index, reason, afterMs);
        return 'another';
      }
      receivers.answered(index, batch.id, false);
      return {
        kind: 'retry',
        reason,
        ...(status === undefined ? {} : { status }),
        ...(afterMs === undefined ? {} : { afterMs }),
      };
    }
  }
}

function requestOf(
  { secure, hostname, port }: WaybillReceiver,
  batch: Batch,
  { token, stream, via }: WaybillSenderOptions,
) {
  return {
    secure,
    hostname,
    port,
    // Bad lines are kept apart where their owner can fetch them, rather than holding up all that follow.
    path: `/v1/ingest/${stream ?? batch.stream}?invalid=quarantine`,
    method: 'POST',
    headers: {
      'content-type': batch.contentType,
      ...(batch.encoding === 'identity' ? {} : { 'content-encoding': 'gzip' }),
      'user-agent': USER_AGENT,
      authorization: `Bearer ${token()}`,
      'waybill-producer': `${producerOf(batch)};epoch=${EPOCH};seq=${batch.from}`,
      'waybill-batch-id': batch.id,
      ...viaHeader(batch, via),
    },
    body: batch.body,
  };
}

/** 16 hex digits that only this job's stream has. */
export function producerOf({ job, epoch }: Pick<Batch, 'job' | 'epoch'>): string {
  return createHash('sha256').update(`${epoch} ${job}`).digest('hex').slice(0, 16);
}
