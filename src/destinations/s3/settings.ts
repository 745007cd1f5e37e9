/**
 * `s3://bucket/path/{DATE}?region=R[&endpoint=HOST][&access-key-id=K&secret-access-key=S][&sse=AES256]`, and
 * `r2://bucket/path/{DATE}?account-id=A&access-key-id=K&secret-access-key=S` (Logpush's forms).
 */
import { ROLE_ARN } from '../aws-role.ts';
import type { Role } from '../aws-role.ts';
import { fingerprint, isProblem, problem, readConf, redact, unknownParams } from '../conf.ts';
import type { Conf } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';

export interface S3Settings extends ParsedDestination {
  readonly bucket: string;
  /** Without slashes around it; `{DATE}` unfilled; may be empty. */
  readonly prefix: string;
  readonly region: string;
  /** Origin of an S3-compatible service; absent: Amazon's own. */
  readonly endpoint?: string;
  readonly pathStyle: boolean;
  /** Absent: the machine's own credentials. */
  readonly keys?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Assumed for each hour or so, in place of keys. */
  readonly role?: Role;
  readonly sse?: 'AES256' | 'aws:kms';
}

const PARAMS = [
  'region',
  'endpoint',
  'access-key-id',
  'secret-access-key',
  'sse',
  'path-style',
  'sts-assume-role-arn',
  'sts-external-id',
  'sts-endpoint',
] as const;

const R2_PARAMS = ['account-id', 'jurisdiction', 'access-key-id', 'secret-access-key'] as const;

/** Amazon's rules, with the capitals and underscores of some compatible services. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/;
const REGION = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** Amazon's limit is 1,024 bytes for a whole key; a batch's name is below 200. */
const PREFIX_BYTES = 800;
const DEFAULT_REGION = 'us-east-1';

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): S3Settings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  if (conf.scheme === 'r2') return readR2(conf, policy);
  return read(conf, conf, policy);
}

/** R2 is S3 at an address made of the account's id: https://developers.cloudflare.com/r2/api/s3/api/ */
function readR2(conf: Conf, policy: DestinationPolicy): S3Settings | readonly ConfProblem[] {
  const problems = unknownParams(conf, R2_PARAMS);
  const value = (wanted: string) => conf.params.find(({ name }) => name === wanted)?.value;
  const account = value('account-id') ?? '';
  if (!/^[0-9a-f]{32}$/.test(account))
    problems.push(problem('account-id', 'is needed: 32 hex digits'));
  const jurisdiction = value('jurisdiction');
  if (jurisdiction !== undefined && jurisdiction !== 'eu' && jurisdiction !== 'fedramp')
    problems.push(problem('jurisdiction', 'must be eu or fedramp'));
  if (problems.length > 0) return problems;
  const where = jurisdiction === undefined ? '' : `${jurisdiction}.`;
  const made = (name: string, text: string) => ({ raw: `${name}=${text}`, name, value: text });
  const keys = conf.params.filter(({ name }) => name.endsWith('-key') || name.endsWith('-key-id'));
  const endpoint = made('endpoint', `https://${account}.${where}r2.cloudflarestorage.com`);
  return read(conf, { ...conf, params: [...keys, endpoint, made('region', 'auto')] }, policy);
}

/** @param said the conf as its owner wrote it */
function read(
  said: Conf,
  conf: Conf,
  policy: DestinationPolicy,
): S3Settings | readonly ConfProblem[] {
  const problems = unknownParams(conf, PARAMS);
  const take = <T>(value: T | ConfProblem | undefined): T | undefined => {
    if (typeof value !== 'object' || value === null || !isProblem(value))
      return value as T | undefined;
    problems.push(value);
    return undefined;
  };
  const place = take(readPlace(conf.place));
  const endpoint = take(readEndpoint(conf, policy));
  const region = take(readRegion(conf));
  const role = take(readRole(conf, policy));
  const keys = role === undefined ? take(readKeys(conf, policy)) : undefined;
  const sse = take(readSse(conf));
  const pathStyle = take(readPathStyle(conf, endpoint !== undefined));
  if (problems.length > 0 || !place) return problems;
  const { bucket, prefix } = place;
  return {
    scheme: conf.scheme,
    address: `s3://${bucket}/${prefix}${endpoint === undefined ? '' : ` at ${endpoint}`}`,
    redacted: redact(said),
    fingerprint: fingerprint(conf.scheme, endpoint ?? 'aws', bucket, prefix),
    bucket,
    prefix,
    region: region ?? DEFAULT_REGION,
    pathStyle: pathStyle ?? false,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(keys === undefined ? {} : { keys }),
    ...(role === undefined ? {} : { role }),
    ...(sse === undefined ? {} : { sse }),
  };
}

function param(conf: Conf, name: (typeof PARAMS)[number]): string | undefined {
  return conf.params.find((candidate) => candidate.name === name)?.value;
}

function readPlace(place: string): { bucket: string; prefix: string } | ConfProblem {
  const [bucket = '', ...rest] = place.split('/');
  if (!BUCKET.test(bucket)) {
    return problem(
      'destination_conf',
      'needs a bucket name of 3 to 63 letters, digits, `-`, `.` or `_`',
    );
  }
  let prefix: string;
  try {
    prefix = decodeURIComponent(rest.join('/')).replaceAll(/^\/+|\/+$/g, '');
  } catch {
    return problem('destination_conf', 'holds a `%` that is not followed by two hex digits');
  }
  const parts = prefix.split('/');
  if (prefix !== '' && parts.some((part) => part === '' || part === '.' || part === '..')) {
    return problem('destination_conf', 'must not hold `.`, `..` or empty parts in its path');
  }
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u001f\u007f]/.test(prefix) || Buffer.byteLength(prefix) > PREFIX_BYTES) {
    return problem(
      'destination_conf',
      `the path may have ${PREFIX_BYTES} bytes and no control characters`,
    );
  }
  return { bucket, prefix };
}

function readEndpoint(conf: Conf, policy: DestinationPolicy): string | ConfProblem | undefined {
  const text = param(conf, 'endpoint');
  if (text === undefined) return undefined;
  let url: URL;
  try {
    url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`);
  } catch {
    return problem('endpoint', 'must be a host name, such as nyc3.digitaloceanspaces.com');
  }
  if (url.protocol === 'http:' && !policy.allowHttp) {
    return problem('endpoint', 'http:// is not allowed here: use https:// or the host name alone');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return problem('endpoint', 'must be a host name or begin with https://');
  }
  if (
    url.host === '' ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.username + url.password !== ''
  ) {
    return problem('endpoint', 'must be a host alone, without bucket, path, query or user name');
  }
  return url.origin;
}

function readRegion(conf: Conf): string | ConfProblem | undefined {
  const region = param(conf, 'region');
  if (region === undefined) {
    if (param(conf, 'endpoint') !== undefined) return undefined;
    return problem('region', 'is needed, as in region=us-east-1');
  }
  return REGION.test(region) ? region : problem('region', 'must look like us-east-1 (or auto)');
}

function readKeys(conf: Conf, policy: DestinationPolicy): S3Settings['keys'] | ConfProblem {
  // A `+` that nobody escaped arrives as a space, which no key holds.
  const accessKeyId = param(conf, 'access-key-id')?.replaceAll(' ', '+');
  const secretAccessKey = param(conf, 'secret-access-key')?.replaceAll(' ', '+');
  if (!accessKeyId && !secretAccessKey) {
    if (policy.ambientCredentials === true && param(conf, 'endpoint') === undefined)
      return undefined;
    return problem('access-key-id', 'is needed, together with secret-access-key');
  }
  if (!accessKeyId) return problem('access-key-id', 'is needed beside secret-access-key');
  if (!secretAccessKey) return problem('secret-access-key', 'is needed beside access-key-id');
  if (!/^[\x21-\x7e]+$/.test(accessKeyId))
    return problem('access-key-id', 'holds characters that no key has');
  if (!/^[\x21-\x7e]+$/.test(secretAccessKey)) {
    return problem('secret-access-key', 'holds characters that no key has');
  }
  return { accessKeyId, secretAccessKey };
}

function readRole(conf: Conf, policy: DestinationPolicy): Role | ConfProblem | undefined {
  const name = 'sts-assume-role-arn';
  const arn = param(conf, name);
  const externalId = param(conf, 'sts-external-id');
  const endpoint = param(conf, 'sts-endpoint');
  if (arn === undefined) return undefined;
  if (!ROLE_ARN.test(arn))
    return problem(name, 'must look like arn:aws:iam::123456789012:role/logs');
  if (param(conf, 'access-key-id') !== undefined)
    return problem(name, 'stands in place of access-key-id, not beside it');
  const isOrigin = /^https:\/\/[^/?#@]+$/.test(endpoint ?? 'https://x');
  const isPlain = policy.allowHttp && /^http:\/\/[^/?#@]+$/.test(endpoint ?? '');
  if (!isOrigin && !isPlain) return problem('sts-endpoint', 'must be an origin with https://');
  return {
    arn,
    region: param(conf, 'region') ?? DEFAULT_REGION,
    ...(externalId === undefined ? {} : { externalId }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

function readSse(conf: Conf): S3Settings['sse'] | ConfProblem {
  const sse = param(conf, 'sse');
  if (sse === undefined || sse === 'AES256' || sse === 'aws:kms') return sse;
  return problem('sse', 'must be AES256 or aws:kms');
}

function readPathStyle(conf: Conf, custom: boolean): boolean | ConfProblem {
  const text = param(conf, 'path-style');
  if (text === undefined) return custom;
  return text === 'true' || text === 'false'
    ? text === 'true'
    : problem('path-style', 'must be true or false');
}
