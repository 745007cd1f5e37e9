/** `kinesis://STREAM?region=R&access-key-id=K&secret-access-key=S` or `&sts-assume-role-arn=ARN` (Logpush's form). */
import { ROLE_ARN } from '../aws-role.ts';
import type { Role } from '../aws-role.ts';
import type { AwsKeys } from '../aws-sign.ts';
import { fingerprint, isProblem, problem, readConf, redact, unknownParams } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';

export interface KinesisSettings extends ParsedDestination {
  readonly stream: string;
  readonly region: string;
  readonly endpoint: URL;
  readonly credentials: AwsKeys | Role;
}

const PARAMS = [
  'region',
  'access-key-id',
  'secret-access-key',
  'sts-assume-role-arn',
  'sts-external-id',
  'endpoint',
];

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): KinesisSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const problems = unknownParams(conf, PARAMS);
  const param = (name: string) => conf.params.find((each) => each.name === name)?.value;
  const stream = conf.place;
  if (!/^[a-zA-Z0-9_.-]{1,128}$/.test(stream))
    problems.push(problem('destination_conf', 'needs the name of a stream'));
  const region = param('region') ?? '';
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(region))
    problems.push(problem('region', 'is needed, as in region=us-east-1'));
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const endpoint = readEndpoint(param('endpoint') ?? `https://kinesis.${region}.${suffix}`, policy);
  if (isProblem(endpoint)) problems.push(endpoint);
  const credentials = readCredentials(param, region);
  if (isProblem(credentials)) problems.push(credentials);
  if (isProblem(credentials) || isProblem(endpoint) || problems.length > 0) return problems;
  return {
    scheme: conf.scheme,
    address: `kinesis://${stream} in ${region}`,
    redacted: redact(conf),
    fingerprint: fingerprint(conf.scheme, endpoint.host, region, stream),
    stream,
    region,
    endpoint,
    credentials,
  };
}

function readCredentials(
  param: (name: string) => string | undefined,
  region: string,
): AwsKeys | Role | ConfProblem {
  const arn = param('sts-assume-role-arn');
  const externalId = param('sts-external-id');
  const accessKeyId = param('access-key-id')?.replaceAll(' ', '+');
  const secretAccessKey = param('secret-access-key')?.replaceAll(' ', '+');
  if (arn !== undefined) {
    if (accessKeyId !== undefined || secretAccessKey !== undefined)
      return problem('sts-assume-role-arn', 'stands in place of access-key-id, not beside it');
    if (!ROLE_ARN.test(arn))
      return problem('sts-assume-role-arn', 'must look like arn:aws:iam::123456789012:role/logs');
    return { arn, region, ...(externalId === undefined ? {} : { externalId }) };
  }
  const isKey = (text: string | undefined): text is string => /^[\x21-\x7e]+$/.test(text ?? '');
  if (!isKey(accessKeyId) || !isKey(secretAccessKey))
    return problem('access-key-id', 'is needed with secret-access-key, or sts-assume-role-arn');
  return { accessKeyId, secretAccessKey };
}

function readEndpoint(text: string, policy: DestinationPolicy): URL | ConfProblem {
  const wrong = problem('endpoint', 'must be an origin, as in https://kinesis.example.com');
  try {
    const url = new URL(text);
    const isAllowed = url.protocol === 'https:' || (url.protocol === 'http:' && policy.allowHttp);
    const isOrigin =
      url.pathname === '/' && url.search === '' && url.username + url.password === '';
    return isAllowed && isOrigin ? url : wrong;
  } catch {
    return wrong;
  }
}
