/**
 * Grafana Loki's push API, JSON form. A line's timestamp is its reception time with nanoseconds made of its offset: Loki
 * drops a repeat, because it has the same time and text. See docs/destinations/loki.md.
 */
import { problem } from '../conf.ts';
import type { ConfProblem } from '../destination.ts';
import { row } from '../web-answer.ts';
import { webDestination } from '../web-kind.ts';
import type { WebPlace } from '../web-conf.ts';

const LABEL = 'label_';
const MAX_LABELS = 15;

export const lokiDestination = webDestination({
  describe: {
    schemes: ['loki'],
    title: 'Grafana Loki',
    form: 'loki://<host>[:3100]/loki/api/v1/push?label_<name>=<value>[&header_Authorization=Basic%20<base64>][&header_X-Scope-OrgID=<tenant>]',
    repeats: 'replaces',
    // Loki takes 4 MB a request by default; escaping may double a line.
    batchBytes: 1_500_000,
    batchLines: 10_000,
  },
  settings: [
    {
      name: 'label_*',
      help: 'A label of the stream. Absent: source=waybill alone.',
      required: false,
      secret: false,
      example: 'label_dataset=http_requests',
    },
    {
      name: 'header_X-Scope-OrgID',
      help: 'The tenant, where Loki has several.',
      required: false,
      secret: false,
      example: 'team-a',
    },
  ],
  own: [LABEL],
  defaultPort: 3100,
  shape(place) {
    const labels = readLabels(place);
    const problems = labels instanceof Map ? [] : [...labels];
    if (!place.pathname.endsWith('/push'))
      problems.push(problem('destination_conf', 'the path must be /loki/api/v1/push'));
    if (!(labels instanceof Map) || problems.length > 0) return problems;
    const stream = JSON.stringify(Object.fromEntries(labels));
    return {
      framing: {
        contentType: 'application/json',
        prefix: `{"streams":[{"stream":${stream},"values":[`,
        suffix: ']}]}',
        before: ['["', { put: 'timeNs' }, '",'],
        after: [']'],
        delimiter: ',',
        line: 'json string',
      },
    };
  },
  answers: [
    row(
      400,
      'reject',
      'Loki refuses lines: too long, too old, or with labels that it does not take',
    ),
    row(401, 'retry', 'the credentials or the tenant (header_X-Scope-OrgID) were not accepted'),
    row(413, 'split', 'the batch is too large for Loki'),
    row(429, 'retry', "the tenant's rate is used up"),
  ],
});

function readLabels(place: WebPlace): Map<string, string> | ConfProblem[] {
  const labels = new Map([['source', 'waybill']]);
  const problems: ConfProblem[] = [];
  for (const [param, value] of place.own) {
    if (!param.startsWith(LABEL)) continue;
    const name = param.slice(LABEL.length);
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name.startsWith('__'))
      problems.push(problem(param, 'is not the name of a label: letters, digits and `_`'));
    else if (value === '') problems.push(problem(param, 'must have a value'));
    else labels.set(name, value);
  }
  if (labels.size > MAX_LABELS)
    problems.push(problem('label_*', `at most ${MAX_LABELS} labels, with source among them`));
  return problems.length > 0 ? problems : labels;
}
