/**
 * One PutRecord a batch: the record is the gzip that an object would be. The partition key is the batch's id, so that
 * batches spread over shards and a repeat goes where the first one went.
 */
import { exchange } from '../../lib/net/exchange.ts';
import { shortText } from '../answer.ts';
import { NoKeys, roleKeys } from '../aws-role.ts';
import { signedHeaders } from '../aws-sign.ts';
import type { AwsKeys } from '../aws-sign.ts';
import type { DestinationTools, Sender, SendOutcome } from '../destination.ts';
import { answerFor, fieldOf, jsonOf, outcomeOf } from '../web-answer.ts';
import type { Answer } from '../web-kind.ts';
import { USER_AGENT } from '../web-send.ts';
import { CODES } from './answers.ts';
import type { KinesisSettings } from './settings.ts';

/** A record's most, with its partition key; what a stream takes may be raised by its owner, and lines never need it. */
const RECORD_BYTES = 1024 * 1024;
const PARTITION_KEY_CHARACTERS = 256;

export function kinesisSender(settings: KinesisSettings, tools: DestinationTools): Sender {
  const { credentials, endpoint } = settings;
  const keysOf: (signal: AbortSignal) => Promise<AwsKeys> =
    'arn' in credentials ? roleKeys(credentials, tools) : () => Promise.resolve(credentials);
  return {
    async send(batch, signal): Promise<SendOutcome> {
      const key = batch.id.slice(-PARTITION_KEY_CHARACTERS);
      if (batch.bodyBytes + key.length > RECORD_BYTES)
        return { kind: 'split', reason: 'the batch is larger than a record may be (1 MiB)' };
      let keys: AwsKeys;
      try {
        keys = await keysOf(signal);
      } catch (error) {
        if (error instanceof NoKeys) return { kind: 'retry', reason: error.message };
        throw error;
      }
      const data = Buffer.concat(batch.body).toString('base64');
      const record = { StreamName: settings.stream, PartitionKey: key, Data: data };
      const body = [Buffer.from(JSON.stringify(record))];
      const headers = signedHeaders(
        {
          service: 'kinesis',
          region: settings.region,
          host: endpoint.host,
          path: '/',
          headers: {
            'content-type': 'application/x-amz-json-1.1',
            'x-amz-target': 'Kinesis_20131202.PutRecord',
            'user-agent': USER_AGENT,
          },
          body,
        },
        keys,
        tools.clock.wallMs(),
      );
      const result = await exchange(
        {
          secure: endpoint.protocol === 'https:',
          hostname: endpoint.hostname,
          ...(endpoint.port === '' ? {} : { port: Number(endpoint.port) }),
          path: '/',
          method: 'POST',
          headers,
          body,
        },
        tools,
        signal,
      );
      if (result.kind === 'failed') return { kind: 'retry', reason: result.reason };
      return outcome(result, tools.clock.wallMs());
    },
    close: () => Promise.resolve(),
  };
}

function outcome(answer: Answer, nowMs: number): SendOutcome {
  const { status } = answer;
  const body = jsonOf(answer);
  if (status === 200) {
    const shard = fieldOf(body, 'ShardId');
    const number = fieldOf(body, 'SequenceNumber');
    if (typeof shard === 'string' && typeof number === 'string')
      return { kind: 'accepted', receipt: `${shortText(shard)} ${shortText(number)}`, status };
    return { kind: 'retry', reason: 'status 200: not an answer of Kinesis', status };
  }
  const type = fieldOf(body, '__type');
  // Some services write the type with its name space before.
  const code = typeof type === 'string' ? type.split('#').at(-1) : undefined;
  const known = code !== undefined && Object.hasOwn(CODES, code) ? CODES[code] : undefined;
  const meaning = known ?? answerFor(status);
  if (meaning.kind === 'accepted')
    return { kind: 'retry', reason: `status ${status}: not an answer of Kinesis`, status };
  return outcomeOf(answer, meaning, nowMs, code);
}
