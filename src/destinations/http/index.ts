/** Any HTTP receiver: one POST a batch, body gzip. See docs/destinations/http.md. */
import { assert } from '../../lib/assert.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { webDestination } from '../web-kind.ts';
import { axiom } from './profiles/axiom.ts';
import { datadog } from './profiles/datadog.ts';
import { ibmCloudLogs } from './profiles/ibm.ts';
import { newRelic } from './profiles/new-relic.ts';
import { sentinelone } from './profiles/sentinelone.ts';
import { splunk } from './profiles/splunk.ts';
import { sumo } from './profiles/sumo.ts';
import { httpSender } from './sender.ts';
import { readSettings } from './settings.ts';

export const httpDestination: DestinationKind = {
  describe: {
    schemes: ['https', 'http'],
    title: 'HTTP',
    form: 'https://<host>[:<port>]/<path>[?header_<Name>=<value>][&<any>=<value>]',
    settings: [
      {
        name: 'header_*',
        help: 'Sent as a request header, with its value URL-decoded: header_Authorization=Bearer%20abc.',
        required: false,
        secret: true,
        example: 'header_Authorization=Basic%20dXNlcjpwYXNz',
      },
      {
        name: '*',
        help: 'Any other parameter stays in the URL. One whose name looks like a secret is not shown.',
        required: false,
        secret: false,
        example: 'source=waybill',
      },
      {
        name: 'webhook-secret',
        help: 'Signs each request in the form of Standard Webhooks: 24 to 64 bytes in base64, with or without whsec_ before.',
        required: false,
        secret: true,
      },
    ],
    repeats: 'appends',
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  open(conf, tools) {
    const settings = readSettings(conf, tools.policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    // Nothing comes with it that the profiles below would not bring, and asking for it costs as much as the rest of opening.
    return Promise.resolve(httpSender(settings, tools));
  },
};

/** Receivers that are HTTP with settings, limits and answers of their own. */
export const httpProfiles: readonly DestinationKind[] = [
  splunk,
  datadog,
  sentinelone,
  newRelic,
  sumo,
  ibmCloudLogs,
  axiom,
].map(webDestination);
