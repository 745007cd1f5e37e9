import type { DestinationTools, Sender } from '../destination.ts';
import { answerFor, outcomeOf } from '../web-answer.ts';
import { postBatch, webhookHeaders } from '../web-send.ts';
import type { HttpSettings } from './settings.ts';

/** Posts each batch as it is; the agents of the dialler keep connections between batches. */
export function httpSender(settings: HttpSettings, tools: DestinationTools): Sender {
  const { target, signingKey } = settings;
  return {
    async send(batch, signal) {
      const nowMs = tools.clock.wallMs();
      const signed = signingKey === undefined ? {} : webhookHeaders(signingKey, batch, nowMs);
      const result = await postBatch(target, batch, tools, signal, signed);
      if (result.kind === 'failed') return { kind: 'retry', reason: result.reason };
      return outcomeOf(result, answerFor(result.status), tools.clock.wallMs());
    },
    close: () => Promise.resolve(),
  };
}
