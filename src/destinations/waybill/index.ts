/** Another Waybill as destination. A forwarder has no other. See docs/destinations/waybill.md. */
import { assert } from '../../lib/assert.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { Receivers } from './receivers.ts';
import { waybillSender } from './sender.ts';
import { readSettings } from './settings.ts';

export { Receivers } from './receivers.ts';
export type { ReceiverState } from './receivers.ts';
export { waybillSender } from './sender.ts';
export type { WaybillReceiver } from './settings.ts';

export const waybillDestination: DestinationKind = {
  describe: {
    schemes: ['waybill'],
    title: 'Waybill',
    form: 'waybill://<host>[:4510][,<host>[:4510]…][/{accounts|zones}/<id>/<dataset>]?token=<ingest token>',
    settings: [
      {
        name: 'token',
        help: 'An ingest token of the receiver that may write to the stream.',
        required: true,
        secret: true,
        example: 'wb_in_…',
      },
      {
        name: 'tls',
        help: 'false: plain HTTP, where the operator allows it.',
        required: false,
        secret: false,
        example: 'false',
      },
    ],
    repeats: 'replaces',
    // What a body may have after decompression leaves room for a batch that was closed late.
    batchBytes: 32 * 1024 * 1024,
    inOrder: true,
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  open(conf, tools) {
    const settings = readSettings(conf, tools.policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    return Promise.resolve(
      waybillSender({
        receivers: new Receivers(settings.receivers, tools.clock),
        token: () => settings.token,
        ...(settings.stream === undefined ? {} : { stream: settings.stream }),
        tools,
        ...(tools.via === undefined ? {} : { via: tools.via }),
      }),
    );
  },
};
