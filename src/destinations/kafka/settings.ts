/** `kafka://broker1:9092,broker2:9092/topic[?record-key=K&partition=N&compression=C&message-bytes=N&tls=T&sasl-mechanism=M&username=U&password=P&client-certificate=C&client-key=K]` */
import type { DialCertificates } from '../../lib/net/dialler.ts';
import { limits } from '../../model/limits.ts';
import { CERTIFICATE_PARAMS, readCertificates } from '../client-certificate.ts';
import { fingerprint, isProblem, problem, readConf, redact, unknownParams } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, Framing, ParsedDestination } from '../destination.ts';
import { COMPRESSION_BITS } from './record-batch.ts';
import type { Compression } from './record-batch.ts';
import type { BrokerAddress } from './requests.ts';

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;

export interface KafkaLogin {
  readonly mechanism: (typeof MECHANISMS)[number];
  readonly user: string;
  readonly password: string;
}

/** What the messages' key is. `field`: the value of a field at the line's top level. */
export type RecordKey =
  | { readonly kind: 'none' | 'stream' }
  | { readonly kind: 'field'; readonly name: string };

export interface KafkaSettings extends ParsedDestination {
  /** Asked for the rest of the cluster. */
  readonly brokers: readonly BrokerAddress[];
  readonly topic: string;
  readonly recordKey: RecordKey;
  /** Absent: by the key, or where there is none by the batch. */
  readonly partition?: number;
  readonly compression: Compression;
  readonly messageBytes: number;
  readonly secure: boolean;
  readonly login?: KafkaLogin;
  /** Of the client and of the brokers' authority. */
  readonly certificates?: DialCertificates;
}

/**
 * Not sent: the way in which a line's own offset and time come along with it. A row is `<offset> <milliseconds> <line>`.
 */
export const LINE_FRAMING: Framing = {
  contentType: 'application/x-waybill-placed-lines',
  prefix: '',
  suffix: '',
  before: [{ put: 'offset' }, ' ', { put: 'timeMs' }, ' '],
  after: ['\n'],
  delimiter: '',
  line: 'as it is',
};

const PARAMS = [
  'record-key',
  'partition',
  'compression',
  'message-bytes',
  'tls',
  'sasl-mechanism',
  'username',
  'password',
  ...CERTIFICATE_PARAMS,
];
const DEFAULT_PORT = 9092;
const FIELD = 'field:';
const HOST = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?$/;

type Param = (name: string) => string | undefined;

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): KafkaSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const problems = unknownParams(conf, PARAMS);
  const keep = <Value>(value: Value | ConfProblem): Value | undefined => {
    if (!isConfProblem(value)) return value;
    problems.push(value);
    return undefined;
  };
  const param: Param = (name) => conf.params.find((each) => each.name === name)?.value;
  const [hosts = '', topic = '', ...more] = conf.place.split('/');
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(topic) || topic === '.' || topic === '..' || more.length > 0)
    problems.push(
      problem('destination_conf', 'needs the name of a topic, as in kafka://broker:9092/logs'),
    );
  const brokers = keep(readBrokers(hosts));
  const recordKey = keep(readKey(param('record-key') ?? 'none'));
  const compression = keep(readCompression(param('compression') ?? 'gzip'));
  const partition = keep(readPartition(param('partition')));
  const messageBytes = keep(readMessageBytes(param('message-bytes')));
  const secure = keep(readTls(param('tls') ?? 'true', policy));
  const login = keep(readLogin(param));
  const certificates = keep(readCertificates(conf, secure !== false));
  if (problems.length > 0 || !brokers || !recordKey || !compression || messageBytes === undefined)
    return problems;
  const names = brokers.map(({ host, port }) => `${host}:${port}`).join(',');
  return {
    scheme: conf.scheme,
    address: `kafka://${names}/${topic}`,
    redacted: redact(conf),
    fingerprint: fingerprint(conf.scheme, names.toLowerCase(), topic),
    framing: LINE_FRAMING,
    encoding: 'identity',
    brokers,
    topic,
    recordKey,
    compression,
    messageBytes,
    secure: secure !== false,
    ...(partition === undefined ? {} : { partition }),
    ...(login === undefined ? {} : { login }),
    ...(certificates === undefined ? {} : { certificates }),
  };
}

function isConfProblem<Value>(value: Value | ConfProblem): value is ConfProblem {
  return typeof value === 'object' && value !== null && isProblem(value);
}

function readBrokers(text: string): readonly BrokerAddress[] | ConfProblem {
  const most = limits.kafka.bootstrapBrokers;
  const parts = text.split(',');
  const brokers = parts.flatMap((part) => {
    const [, host, port] = HOST.exec(part) ?? [];
    const number = Number(port ?? DEFAULT_PORT);
    if (host === undefined || number < 1 || number > 65_535) return [];
    return [{ host: host.replaceAll(/[[\]]/g, ''), port: number }];
  });
  if (brokers.length === parts.length && brokers.length <= most) return brokers;
  return problem(
    'destination_conf',
    `needs 1 to ${most} brokers with commas between, as in kafka://b1.example.com:9093,b2.example.com:9093/logs`,
  );
}

function readKey(text: string): RecordKey | ConfProblem {
  if (text === 'none' || text === 'stream') return { kind: text };
  const name = text.startsWith(FIELD) ? text.slice(FIELD.length) : '';
  if (name !== '' && Buffer.byteLength(name) <= 256) return { kind: 'field', name };
  return problem('record-key', 'must be none, stream, or field:<name of a field of the lines>');
}

function readCompression(text: string): Compression | ConfProblem {
  if (Object.hasOwn(COMPRESSION_BITS, text)) return text as Compression;
  return problem('compression', `must be ${Object.keys(COMPRESSION_BITS).join(', ')}`);
}

function readPartition(text: string | undefined): number | undefined | ConfProblem {
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) < limits.kafka.partitions) return Number(text);
  return problem('partition', `must be a number from 0 to ${limits.kafka.partitions - 1}`);
}

function readMessageBytes(text: string | undefined): number | ConfProblem {
  const { recordBatchBytes, recordBatchBytesMin: least, recordBatchBytesMax: most } = limits.kafka;
  if (text === undefined) return recordBatchBytes;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= least && value <= most) return value;
  return problem('message-bytes', `must be a number from ${least} to ${most}`);
}

function readTls(text: string, policy: DestinationPolicy): boolean | ConfProblem {
  if (text !== 'true' && text !== 'false') return problem('tls', 'must be true or false');
  if (text === 'false' && !policy.allowHttp)
    return problem('tls', 'what is not encrypted is not allowed here: leave it out');
  return text === 'true';
}

function readLogin(param: Param): KafkaLogin | undefined | ConfProblem {
  const [given, user, password] = [param('sasl-mechanism'), param('username'), param('password')];
  if (given === undefined) {
    if (user === undefined && password === undefined) return undefined;
    return problem('sasl-mechanism', `is needed with a user: ${MECHANISMS.join(', ')}`);
  }
  const mechanism = MECHANISMS.find((each) => each === given);
  if (mechanism === undefined)
    return problem('sasl-mechanism', `must be one of ${MECHANISMS.join(', ')}`);
  const isText = (text: string | undefined): text is string => /^\P{Cc}+$/u.test(text ?? '');
  if (!isText(user)) return problem('username', 'is needed with sasl-mechanism');
  if (!isText(password)) return problem('password', 'is needed with sasl-mechanism');
  return { mechanism, user, password };
}
