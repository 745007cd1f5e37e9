/** Kafka: one message a line, acknowledged by all replicas in sync. See docs/destinations/kafka.md. */
import { assert } from '../../lib/assert.ts';
import { limits } from '../../model/limits.ts';
import { CERTIFICATE_SETTINGS } from '../client-certificate.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { readSettings } from './settings.ts';

export const kafkaDestination: DestinationKind = {
  describe: {
    schemes: ['kafka'],
    title: 'Apache Kafka and what speaks its protocol',
    form: 'kafka://<broker>:<port>[,<broker>:<port>…]/<topic>[?sasl-mechanism=SCRAM-SHA-512&username=<name>&password=<secret>][&record-key=field:<name>]',
    settings: [
      {
        name: 'record-key',
        help: 'Key of the messages: none, stream (the stream’s name), or field: and the name of a field at a line’s top level. Absent: none.',
        required: false,
        secret: false,
        example: 'field:ClientIP',
      },
      {
        name: 'partition',
        help: 'The one partition to write to. Absent: chosen by the key as Kafka’s own clients do, or without a key by the batch.',
        required: false,
        secret: false,
        example: '0',
      },
      {
        name: 'compression',
        help: 'gzip, zstd (Kafka 2.1 and later) or none. Absent: gzip.',
        required: false,
        secret: false,
        example: 'zstd',
      },
      {
        name: 'message-bytes',
        help: `Bytes of a record batch before compression; not above the topic’s max.message.bytes. Absent: ${limits.kafka.recordBatchBytes}.`,
        required: false,
        secret: false,
        example: '500000',
      },
      {
        name: 'tls',
        help: 'false: not encrypted, where the operator allows it. Absent: true.',
        required: false,
        secret: false,
        example: 'true',
      },
      {
        name: 'sasl-mechanism',
        help: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Absent: no log-in.',
        required: false,
        secret: false,
        example: 'SCRAM-SHA-512',
      },
      {
        name: 'username',
        help: 'User of the log-in.',
        required: false,
        secret: false,
        example: 'waybill',
      },
      { name: 'password', help: 'The user’s password.', required: false, secret: true },
      ...CERTIFICATE_SETTINGS,
    ],
    repeats: 'appends',
    // A few record batches: as much as is worth one wait for the replicas.
    batchBytes: 4_000_000,
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  async open(conf, tools) {
    const settings = readSettings(conf, tools.policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    const { kafkaSender } = await import('./sender.ts');
    return kafkaSender(settings, tools);
  },
};
