/** OpenTelemetry's protocol for logs over HTTP, JSON form (OTLP/HTTP 1.x). See docs/destinations/otlp.md. */
import { problem } from '../conf.ts';
import type { Batch, SendOutcome } from '../destination.ts';
import { fieldOf, jsonOf, outcomeOf } from '../web-answer.ts';
import { webDestination } from '../web-kind.ts';
import type { Answer } from '../web-kind.ts';

const RESOURCE = 'resource_';

export const otlpDestination = webDestination({
  describe: {
    schemes: ['otlp'],
    title: 'OpenTelemetry (OTLP/HTTP logs)',
    form: 'otlp://<host>[:4318]/v1/logs[?resource_<attribute>=<value>][&header_<Name>=<value>]',
    repeats: 'appends',
    // Collectors take 20 MiB by default, others 4; escaping may double a line.
    batchBytes: 1_500_000,
    batchLines: 10_000,
  },
  settings: [
    {
      name: 'resource_*',
      help: 'An attribute of the resource. Absent: service.name=waybill alone.',
      required: false,
      secret: false,
      example: 'resource_service.name=cdn',
    },
  ],
  own: [RESOURCE],
  defaultPort: 4318,
  shape(place) {
    if (!place.pathname.endsWith('/v1/logs'))
      return [problem('destination_conf', 'the path must end with /v1/logs')];
    const attributes = new Map([['service.name', 'waybill']]);
    for (const [param, value] of place.own)
      if (param.startsWith(RESOURCE)) attributes.set(param.slice(RESOURCE.length), value);
    const resource = JSON.stringify({
      attributes: [...attributes].map(([key, value]) => ({ key, value: { stringValue: value } })),
    });
    return {
      framing: {
        contentType: 'application/json',
        prefix: `{"resourceLogs":[{"resource":${resource},"scopeLogs":[{"scope":{"name":"waybill"},"logRecords":[`,
        suffix: ']}]}]}',
        before: [
          '{"timeUnixNano":"',
          { put: 'timeNs' },
          '","observedTimeUnixNano":"',
          { put: 'timeNs' },
          '","body":{"stringValue":',
        ],
        after: ['}}'],
        delimiter: ',',
        line: 'json string',
      },
    };
  },
  answers: [],
  judge: judgePartial,
});

/**
 * `partialSuccess` says how many records were refused, and not which. The protocol asks not to send them again; but then they
 * would be lost without a name. So the batch is refused as a whole, and halves find the lines.
 */
function judgePartial(answer: Answer, _batch: Batch, nowMs: number): SendOutcome | undefined {
  if (answer.status !== 200) return undefined;
  const partial = fieldOf(jsonOf(answer), 'partialSuccess');
  const refused = Number(fieldOf(partial, 'rejectedLogRecords') ?? 0);
  if (!Number.isInteger(refused) || refused <= 0) return undefined;
  const words = `the receiver did not take ${refused} of the lines`;
  return outcomeOf(answer, { kind: 'reject', words }, nowMs);
}
