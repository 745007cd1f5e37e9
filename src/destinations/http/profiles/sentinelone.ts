/** SentinelOne's Singularity Data Lake, raw endpoint of its collector; Logpush's form. */
import { problem } from '../../conf.ts';
import { needs } from '../../web-kind.ts';
import type { WebProfile } from '../../web-kind.ts';

export const sentinelone: WebProfile = {
  describe: {
    schemes: ['sentinelone'],
    title: 'SentinelOne',
    form: 'sentinelone://ingest.<region>.sentinelone.net/services/collector/raw?header_Authorization=Bearer%20<token>[&sourcetype=<parser>]',
    repeats: 'appends',
    // What the vendor's clients send at most.
    batchBytes: 5_000_000,
  },
  settings: [
    {
      name: 'header_Authorization',
      help: 'Bearer and a log access write key.',
      required: true,
      secret: true,
      example: 'Bearer%20<token>',
    },
    {
      name: 'sourcetype',
      help: 'The parser. Stays in the URL.',
      required: false,
      secret: false,
      example: 'marketplace-cloudflare-latest',
    },
  ],
  shape(place, conf) {
    const problems = needs(
      place,
      conf,
      'authorization',
      'is needed: header_Authorization=Bearer%20<token>',
    );
    if (!place.pathname.endsWith('/services/collector/raw'))
      problems.push(problem('destination_conf', 'the path must be /services/collector/raw'));
    return problems.length > 0 ? problems : {};
  },
  answers: [],
};
