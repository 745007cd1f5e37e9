/** Google Cloud Storage: one object a batch, with the key of a service account. See docs/destinations/gcs.md. */
import { assert } from '../../lib/assert.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { readSettings } from './settings.ts';

export const gcsDestination: DestinationKind = {
  describe: {
    schemes: ['gs'],
    title: 'Google Cloud Storage',
    form: 'gs://<bucket>/<path>[/{DATE}]?credentials=base64:<key file>',
    settings: [
      {
        name: 'credentials',
        help: 'base64: and the JSON key file of a service account in base64, or url: and the file URL-encoded.',
        required: true,
        secret: true,
        example: 'base64:eyJ0eXBlIjoic2VydmljZV9hY2NvdW50Ii...',
      },
      {
        name: 'endpoint',
        help: 'Origin of another service with this API. Absent: https://storage.googleapis.com.',
        required: false,
        secret: false,
        example: 'https://storage.europe-west3.rep.googleapis.com',
      },
    ],
    repeats: 'replaces',
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  async open(conf, tools) {
    const settings = readSettings(conf, tools.policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    const { gcsSender } = await import('./sender.ts');
    return gcsSender(settings, tools);
  },
};
