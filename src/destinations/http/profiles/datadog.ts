/** Datadog's log intake v2: https://docs.datadoghq.com/api/latest/logs/#send-logs */
import { problem } from '../../conf.ts';
import { JSON_ARRAY } from '../../framing.ts';
import { row } from '../../web-answer.ts';
import { needs } from '../../web-kind.ts';
import type { WebProfile } from '../../web-kind.ts';

export const datadog: WebProfile = {
  describe: {
    schemes: ['datadog'],
    title: 'Datadog',
    form: 'datadog://http-intake.logs.<site>/api/v2/logs?header_DD-API-KEY=<key>&ddsource=<source>[&service=<name>][&host=<name>][&ddtags=<tags>]',
    repeats: 'appends',
    // 5 MB and 1,000 entries, plain.
    batchBytes: 4_900_000,
    batchLines: 1_000,
  },
  settings: [
    { name: 'header_DD-API-KEY', help: 'The API key.', required: true, secret: true },
    {
      name: 'ddsource',
      help: 'Where the logs come from. Stays in the URL, as service, host and ddtags do.',
      required: false,
      secret: false,
      example: 'cloudflare',
    },
  ],
  shape(place, conf) {
    const problems = needs(place, conf, 'dd-api-key', 'is needed', 'dd-api-key');
    if (!/^(\/api\/v2\/logs|\/v1\/input(\/.*)?)$/.test(place.pathname))
      problems.push(problem('destination_conf', 'the path must be /api/v2/logs'));
    return problems.length > 0 ? problems : { framing: JSON_ARRAY };
  },
  answers: [
    row(401, 'retry', 'the API key was not accepted'),
    row(403, 'retry', 'the API key was not accepted'),
  ],
};
