/** Amazon S3 and what is compatible with it: one object a batch. See docs/destinations/s3.md. */
import { assert } from '../../lib/assert.ts';
import { publicPart } from '../conf.ts';
import type { DestinationKind } from '../destination.ts';
import { readSettings } from './settings.ts';

export const s3Destination: DestinationKind = {
  describe: {
    schemes: ['s3', 'r2'],
    title: 'Amazon S3, Cloudflare R2 and compatible',
    form: 's3://<bucket>/<path>[/{DATE}]?region=<region>&access-key-id=<id>&secret-access-key=<secret>[&endpoint=<host>]',
    settings: [
      {
        name: 'region',
        help: 'The bucket’s region. May be left out beside an endpoint.',
        required: true,
        secret: false,
        example: 'us-east-1',
      },
      {
        name: 'access-key-id',
        help: 'Key that may put objects there (s3:PutObject).',
        required: true,
        secret: false,
        example: 'AKIAIOSFODNN7EXAMPLE',
      },
      { name: 'secret-access-key', help: 'The key’s secret.', required: true, secret: true },
      {
        name: 'endpoint',
        help: 'Host of an S3-compatible service, without bucket and path. Absent: Amazon.',
        required: false,
        secret: false,
        example: 'nyc3.digitaloceanspaces.com',
      },
      {
        name: 'sse',
        help: 'Server-side encryption: AES256 or aws:kms.',
        required: false,
        secret: false,
        example: 'AES256',
      },
      {
        name: 'sts-assume-role-arn',
        help: 'Role to assume with the account’s external id in place of keys, where the operator offers it.',
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
        name: 'sts-endpoint',
        help: 'Origin of another token service. Absent: Amazon’s in the region.',
        required: false,
        secret: false,
      },
      {
        name: 'account-id',
        help: 'With r2://: the Cloudflare account, 32 hex digits.',
        required: false,
        secret: false,
      },
      {
        name: 'jurisdiction',
        help: 'With r2://: eu or fedramp, for buckets that are bound to one.',
        required: false,
        secret: false,
        example: 'eu',
      },
      {
        name: 'path-style',
        help: 'true: the bucket stands in the path, false: in the host name. Absent: true beside an endpoint.',
        required: false,
        secret: false,
        example: 'false',
      },
    ],
    repeats: 'replaces',
  },
  parse(conf, policy) {
    const settings = readSettings(conf, policy);
    return 'scheme' in settings ? publicPart(settings) : settings;
  },
  async open(conf, tools) {
    const policy = { ...tools.policy, ambientCredentials: tools.ambientCredentials };
    const settings = readSettings(conf, policy);
    assert('scheme' in settings, 'a conf is parsed before it is opened');
    const { s3Sender } = await import('./sender.ts');
    return s3Sender(settings, tools);
  },
};
