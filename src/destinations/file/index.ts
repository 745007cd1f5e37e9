/** A folder of this machine, where the operator opened one. See docs/destinations/file.md. */
import { assert } from '../../lib/assert.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { readSettings } from './settings.ts';

export const fileDestination: DestinationKind = {
  describe: {
    schemes: ['file'],
    title: 'Local folder',
    form: 'file:///<absolute folder>[/{DATE}]',
    settings: [],
    repeats: 'replaces',
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  async open(conf, tools) {
    const settings = readSettings(conf, tools.policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    const { fileSender } = await import('./sender.ts');
    return fileSender(settings, tools.files);
  },
};
