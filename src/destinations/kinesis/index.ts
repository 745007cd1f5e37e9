/** Amazon Kinesis Data Streams: one record a batch, gzip. See docs/destinations/kinesis.md. */
import { assert } from '../../lib/assert.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { readSettings } from './settings.ts';

export const kinesisDestination: DestinationKind = {
  describe: {
    schemes: ['kinesis'],
    title: 'Amazon Kinesis Data Streams',
    form: 'kinesis://<stream>?region=<region>&access-key-id=<id>&secret-access-key=<secret> or &sts-assume-role-arn=<ARN>',
    settings: [
      {
        name: 'region',
        help: 'The stream’s region.',
        required: true,
        secret: false,
        example: 'us-east-1',
      },
      {
        name: 'access-key-id',
        help: 'Key that may put records there (kinesis:PutRecord). Not beside a role.',
        required: false,
        secret: false,
        example: 'AKIAIOSFODNN7EXAMPLE',
      },
      { name: 'secret-access-key', help: 'The key’s secret.', required: false, secret: true },
      {
        name: 'sts-assume-role-arn',
        help: 'Role to assume with the account’s external id, where the operator offers it.',
        required: false,
        secret: false,
        example: 'arn:aws:iam::123456789012:role/logs',
      },
      {
        name: 'sts-external-id',
        help: 'The account’s external id; may be left out.',
        required: false,
        secret: false,
      },
      {
        name: 'endpoint',
        help: 'Origin of another service with this API. Absent: Amazon’s.',
        required: false,
        secret: false,
        example: 'https://vpce-1.kinesis.us-east-1.vpce.amazonaws.com',
      },
    ],
    repeats: 'appends',
    // A record holds 1 MiB with its partition key; gzip of noise is a little larger than the noise.
    batchBytes: 1_000_000,
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  async open(conf, tools) {
    const settings = readSettings(conf, tools.policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    const { kinesisSender } = await import('./sender.ts');
    return kinesisSender(settings, tools);
  },
};
