/** Sumo Logic's HTTP source: https://help.sumologic.com/docs/send-data/hosted-collectors/http-source/ */
import { problem } from '../../conf.ts';
import { row } from '../../web-answer.ts';
import type { WebProfile } from '../../web-kind.ts';

export const sumo: WebProfile = {
  describe: {
    schemes: ['sumo'],
    title: 'Sumo Logic',
    form: 'sumo://<endpoint>/receiver/v1/http/<code>',
    repeats: 'appends',
    // The size that the vendor asks for, plain.
    batchBytes: 1_000_000,
  },
  settings: [
    {
      name: 'header_X-Sumo-Category',
      help: 'Source category, in place of the source’s own. So for X-Sumo-Name, X-Sumo-Host and X-Sumo-Fields.',
      required: false,
      secret: false,
      example: 'prod/cdn',
    },
  ],
  hidesPath: true,
  shape(place) {
    const hasCode = /^\/receiver\/v1\/http\/[A-Za-z0-9_=+-]+$/.test(place.pathname);
    if (hasCode) return {};
    return [problem('destination_conf', 'the path must be /receiver/v1/http/<code of the source>')];
  },
  answers: [
    row(401, 'retry', 'the code in the address is not that of a source'),
    row(404, 'retry', 'the code in the address is not that of a source'),
  ],
};
