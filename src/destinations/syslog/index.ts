/** Syslog, RFC 5424 over TLS (RFC 5425) or TCP (RFC 6587, octet counting): one message a line. See docs/destinations/syslog.md. */
import { assert } from '../../lib/assert.ts';
import { CERTIFICATE_SETTINGS } from '../client-certificate.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { readSettings } from './settings.ts';

export const syslogDestination: DestinationKind = {
  describe: {
    schemes: ['syslog'],
    title: 'Syslog (RFC 5424)',
    form: 'syslog://<host>[:6514][?transport=tls][&hostname=<name>][&app=<name>][&facility=<0-23>][&severity=<0-7>]',
    settings: [
      {
        name: 'transport',
        help: 'tls, or tcp where the operator allows what is not encrypted. Absent: tls.',
        required: false,
        secret: false,
        example: 'tls',
      },
      {
        name: 'hostname',
        help: 'HOSTNAME of the messages. Absent: waybill.',
        required: false,
        secret: false,
        example: 'cdn.example.com',
      },
      {
        name: 'app',
        help: 'APP-NAME of the messages. Absent: waybill.',
        required: false,
        secret: false,
        example: 'http_requests',
      },
      {
        name: 'facility',
        help: 'A number from 0 to 23. Absent: 16 (local0).',
        required: false,
        secret: false,
        example: '16',
      },
      {
        name: 'severity',
        help: 'A number from 0 to 7. Absent: 6 (informational).',
        required: false,
        secret: false,
        example: '6',
      },
      ...CERTIFICATE_SETTINGS,
    ],
    repeats: 'appends',
    // A whole batch is written to one connection before its end is confirmed.
    batchBytes: 4_000_000,
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  async open(conf, tools) {
    const settings = readSettings(conf, tools.policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    const { syslogSender } = await import('./sender.ts');
    return syslogSender(settings, tools);
  },
};
