/** `https://host[:port]/path?header_Authorization=Basic%20X&other=thing` (Logpush's form). */
import { fingerprint, isProblem, problem, readConf, redact } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';
import { readWebPlace, withoutTokens } from '../web-conf.ts';
import type { WebTarget } from '../web-conf.ts';

export interface HttpSettings extends ParsedDestination {
  readonly target: WebTarget;
  /** Signs requests in the form of Standard Webhooks; absent: they are not signed. */
  readonly signingKey?: Buffer;
}

const SIGNING = 'webhook-secret';
/** Standard Webhooks: keys have 24 to 64 bytes. */
const KEY_BYTES = { least: 24, most: 64 };

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): HttpSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  if (conf.scheme === 'http' && !policy.allowHttp) {
    return [problem('destination_conf', 'http:// is not allowed here: use https://')];
  }
  const place = readWebPlace(conf, conf.scheme === 'https', (name) => name === SIGNING);
  if (!('host' in place)) return place;
  const signingKey = readKey(place.own.get(SIGNING));
  if (signingKey !== undefined && !Buffer.isBuffer(signingKey)) return [signingKey];
  return {
    scheme: conf.scheme,
    address: `${conf.scheme}://${place.host}${withoutTokens(place.pathname)}`,
    redacted: redact(conf, withoutTokens(conf.place)),
    fingerprint: fingerprint(conf.scheme, place.host, '', place.pathname),
    target: place,
    ...(signingKey === undefined ? {} : { signingKey }),
  };
}

function readKey(text: string | undefined): Buffer | ConfProblem | undefined {
  if (text === undefined) return undefined;
  // A `+` that nobody escaped arrives as a space, which base64 does not have.
  const base64 = text.replaceAll(' ', '+').replace(/^whsec_/, '');
  const key = Buffer.from(base64, 'base64');
  const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(base64);
  if (isBase64 && key.length >= KEY_BYTES.least && key.length <= KEY_BYTES.most) return key;
  return problem(
    SIGNING,
    `must be ${KEY_BYTES.least} to ${KEY_BYTES.most} bytes in base64, with or without whsec_ before`,
  );
}
