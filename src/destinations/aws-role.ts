/**
 * A customer's role, assumed with the operator's own keys (AWS STS, AssumeRole).
 *
 * Whoever may name a role in a conf could name somebody else's. So each account has an external id of its own, which it does
 * not choose: the role's trust policy must demand it, and a role that trusts us for one account is of no use to another (the
 * "confused deputy": https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html).
 */
import { exchange } from '../lib/net/exchange.ts';
import { shortText } from './answer.ts';
import { signedHeaders } from './aws-sign.ts';
import type { AwsKeys } from './aws-sign.ts';
import type { DestinationTools } from './destination.ts';
import { USER_AGENT } from './web-send.ts';

export interface Role {
  readonly arn: string;
  /** What the conf says it is; must be the account's own. */
  readonly externalId?: string;
  readonly region: string;
  /** Another STS than Amazon's; absent: that of the region. */
  readonly endpoint?: string;
}

export const ROLE_ARN = /^arn:aws(-cn|-us-gov)?:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;

/** No keys could be had. `message` is fit for a customer. */
export class NoKeys extends Error {
  override readonly name = 'NoKeys';
}

const LIFE_S = 3_600;
/** Renewed this long before they end: longer than an attempt takes. */
const EARLY_MS = 5 * 60_000;

/** Codes of STS that are the settings' fault, in plain words. */
const CODES: Readonly<Record<string, string>> = {
  AccessDenied:
    'the role may not be assumed: its trust policy must allow the operator and demand the external id',
  ExpiredToken: "the operator's own keys have expired",
  InvalidClientTokenId: "the operator's own keys were not accepted",
  SignatureDoesNotMatch: "the operator's own keys were not accepted",
  RegionDisabledException: 'the region is switched off in the account',
  MalformedPolicyDocument: 'the role cannot be assumed',
};

/** Keys of the role, kept until shortly before they end. @throws {NoKeys} */
export function roleKeys(
  role: Role,
  tools: DestinationTools,
): (signal?: AbortSignal) => Promise<AwsKeys & { readonly expiration: Date }> {
  let kept: { readonly keys: AwsKeys & { readonly expiration: Date }; untilMs: number } | undefined;
  return async (signal = new AbortController().signal) => {
    const nowMs = tools.clock.monotonicMs();
    if (kept && nowMs < kept.untilMs) return kept.keys;
    const keys = await assume(role, tools, signal);
    const lifeMs = keys.expiration.getTime() - tools.clock.wallMs();
    kept = { keys, untilMs: nowMs + Math.max(0, Math.min(lifeMs, LIFE_S * 1_000) - EARLY_MS) };
    return keys;
  };
}

async function assume(role: Role, tools: DestinationTools, signal: AbortSignal) {
  const { externalId, roleKeys: own } = tools;
  if (externalId === undefined || own === undefined)
    throw new NoKeys('roles cannot be assumed here: the operator has given no keys for it');
  if (role.externalId !== undefined && role.externalId !== externalId)
    throw new NoKeys(`the external id of this account is ${externalId}`);
  const suffix = role.region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = new URL(role.endpoint ?? `https://sts.${role.region}.${suffix}`);
  const form = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: role.arn,
    RoleSessionName: 'waybill',
    ExternalId: externalId,
    DurationSeconds: String(LIFE_S),
  });
  const body = [Buffer.from(form.toString())];
  const headers = signedHeaders(
    {
      service: 'sts',
      region: role.region,
      host: url.host,
      path: '/',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': USER_AGENT },
      body,
    },
    own,
    tools.clock.wallMs(),
  );
  const { hostname, port, protocol } = url;
  const result = await exchange(
    {
      secure: protocol === 'https:',
      hostname,
      ...(port === '' ? {} : { port: Number(port) }),
      path: '/',
      method: 'POST',
      headers,
      body,
    },
    tools,
    signal,
  );
  if (result.kind === 'failed') throw new NoKeys(`no keys of the role: ${result.reason}`);
  return readKeys(result.status, result.body.toString('utf8'));
}

/** The answer is XML of a fixed form; only texts without markup inside are looked for. */
function readKeys(status: number, xml: string): AwsKeys & { readonly expiration: Date } {
  const text = (name: string): string | undefined =>
    new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  if (status !== 200) {
    const code = shortText(text('Code') ?? '', 64);
    const words = Object.hasOwn(CODES, code) ? CODES[code] : 'the role could not be assumed';
    throw new NoKeys(`status ${status}${code === '' ? '' : ` ${code}`}: ${words}`);
  }
  const accessKeyId = text('AccessKeyId');
  const secretAccessKey = text('SecretAccessKey');
  const sessionToken = text('SessionToken');
  const expiration = new Date(text('Expiration') ?? '');
  if (!accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(expiration.getTime()))
    throw new NoKeys('the answer is not one of the token service');
  return { accessKeyId, secretAccessKey, sessionToken, expiration };
}
