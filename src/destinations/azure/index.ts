/** Azure Blob Storage: one block blob a batch, with a shared access signature. See docs/destinations/azure.md. */
import { assert } from '../../lib/assert.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { readSettings } from './settings.ts';

export const azureDestination: DestinationKind = {
  describe: {
    schemes: ['azure'],
    title: 'Azure Blob Storage',
    form: 'azure://<account>.blob.core.windows.net/<container>/<path>[/{DATE}]?<shared access signature>',
    settings: [
      {
        name: 'sig',
        help: 'The signature, with the other parameters of the shared access signature (sv, se, sp, sr or ss and srt, st, spr) as Azure gives them.',
        required: true,
        secret: true,
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
    const { azureSender } = await import('./sender.ts');
    return azureSender(settings, tools);
  },
};
