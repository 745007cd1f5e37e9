/** `gs://bucket/path/{DATE}?credentials=base64:<key file>` (Logpush's form for the place, BigQuery's for the key). */
import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { fingerprint, isProblem, problem, readConf, redact, unknownParams } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';
import { readPrefix } from '../object.ts';
import { fieldOf } from '../web-answer.ts';

export interface ServiceAccount {
  readonly email: string;
  readonly key: KeyObject;
  readonly keyId: string;
  readonly tokenUrl: string;
}

export interface GcsSettings extends ParsedDestination {
  readonly bucket: string;
  readonly prefix: string;
  readonly account: ServiceAccount;
  readonly endpoint: URL;
}

/** https://cloud.google.com/storage/docs/buckets#naming */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;
const PREFIX_BYTES = 800;
const PARAMS = ['credentials', 'endpoint'];
const ENDPOINT = 'https://storage.googleapis.com';
const TOKEN_URL = 'https://oauth2.googleapis.com/token';

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): GcsSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const problems = unknownParams(conf, PARAMS);
  const param = (name: string) => conf.params.find((each) => each.name === name)?.value;
  const [bucket = '', ...rest] = conf.place.split('/');
  if (!BUCKET.test(bucket)) {
    const words = 'needs a bucket of lower-case letters, digits, `-`, `.` or `_`';
    problems.push(problem('destination_conf', words));
  }
  const prefix = readPrefix(rest.join('/'), PREFIX_BYTES);
  if (typeof prefix !== 'string') problems.push(prefix);
  const endpoint = readOrigin(param('endpoint') ?? ENDPOINT, policy);
  if (isProblem(endpoint)) problems.push(endpoint);
  const account = readAccount(param('credentials'), policy);
  if (isProblem(account)) problems.push(account);
  if (isProblem(account) || isProblem(endpoint) || typeof prefix !== 'string') return problems;
  if (problems.length > 0) return problems;
  const at = endpoint.origin === ENDPOINT ? '' : ` at ${endpoint.origin}`;
  return {
    scheme: conf.scheme,
    address: `gs://${bucket}/${prefix}${at}`,
    redacted: redact(conf),
    fingerprint: fingerprint(conf.scheme, endpoint.origin, bucket, prefix),
    bucket,
    prefix,
    account,
    endpoint,
  };
}

function readOrigin(text: string, policy: DestinationPolicy): URL | ConfProblem {
  const wrong = problem('endpoint', 'must be an origin, as in https://storage.googleapis.com');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return wrong;
  }
  const isPlain = url.protocol === 'http:' && policy.allowHttp;
  if (url.protocol !== 'https:' && !isPlain) return wrong;
  const isOrigin = url.pathname === '/' && url.search === '' && url.username + url.password === '';
  return isOrigin ? url : wrong;
}

/** https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth: what of a key file is needed. */
function readAccount(
  text: string | undefined,
  policy: DestinationPolicy,
): ServiceAccount | ConfProblem {
  const name = 'credentials';
  if (text === undefined) return problem(name, 'is needed: base64:<key file of a service account>');
  let file: unknown;
  try {
    // A `+` that nobody escaped arrives as a space, which base64 does not have.
    const base64 = /^base64:(.*)$/s.exec(text)?.[1]?.replaceAll(' ', '+');
    const plain = base64 === undefined ? text.replace(/^url:/, '') : decode64(base64);
    file = JSON.parse(plain);
  } catch {
    return problem(name, 'must be base64: and the JSON key file in base64');
  }
  const email = fieldOf(file, 'client_email');
  const pem = fieldOf(file, 'private_key');
  const keyId = fieldOf(file, 'private_key_id');
  const tokenUrl = fieldOf(file, 'token_uri') ?? TOKEN_URL;
  if (fieldOf(file, 'type') !== 'service_account' || typeof email !== 'string')
    return problem(name, 'must be the key file of a service account');
  if (typeof pem !== 'string' || typeof tokenUrl !== 'string')
    return problem(name, 'must be the key file of a service account, with private_key');
  const token = readTokenUrl(tokenUrl, policy);
  if (isProblem(token)) return token;
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'rsa') return problem(name, 'private_key must be an RSA key');
    return { email, key, keyId: typeof keyId === 'string' ? keyId : '', tokenUrl };
  } catch {
    return problem(name, 'private_key cannot be read');
  }
}

function decode64(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}

function readTokenUrl(text: string, policy: DestinationPolicy): URL | ConfProblem {
  const wrong = problem('credentials', 'token_uri must begin with https://');
  try {
    const url = new URL(text);
    if (url.username + url.password !== '') return wrong;
    return url.protocol === 'https:' || (url.protocol === 'http:' && policy.allowHttp)
      ? url
      : wrong;
  } catch {
    return wrong;
  }
}
