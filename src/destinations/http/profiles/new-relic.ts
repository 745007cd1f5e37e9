/** New Relic's Log API: https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/ */
import { problem } from '../../conf.ts';
import { row } from '../../web-answer.ts';
import { needs } from '../../web-kind.ts';
import type { WebProfile } from '../../web-kind.ts';

export const newRelic: WebProfile = {
  describe: {
    schemes: ['newrelic'],
    title: 'New Relic',
    form: 'newrelic://log-api.newrelic.com/log/v1?header_Api-Key=<license key>',
    repeats: 'appends',
    // 1 MB as sent; the text around a line and its escaping are made up for by compression.
    batchBytes: 1_000_000,
    batchLines: 10_000,
  },
  settings: [
    {
      name: 'header_Api-Key',
      help: 'The license key of the account.',
      required: true,
      secret: true,
    },
  ],
  shape(place, conf) {
    const problems = needs(place, conf, 'api-key', 'is needed: the license key', 'Api-Key');
    if (place.pathname !== '/log/v1')
      problems.push(problem('destination_conf', 'the path must be /log/v1'));
    if (problems.length > 0) return problems;
    return {
      framing: {
        contentType: 'application/json',
        prefix: '[{"common":{"attributes":{"plugin":"waybill"}},"logs":[',
        suffix: ']}]',
        // New Relic makes attributes of a message that is JSON.
        before: ['{"timestamp":', { put: 'timeMs' }, ',"message":'],
        after: ['}'],
        delimiter: ',',
        line: 'json string',
      },
    };
  },
  answers: [
    row(202, 'accepted', 'accepted'),
    row(403, 'retry', 'the license key was not accepted'),
  ],
};
