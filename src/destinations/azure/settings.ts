/** `azure://account.blob.core.windows.net/container/path/{DATE}?<SAS>` (Logpush's form). */
import { fingerprint, isProblem, problem, readConf, redact } from '../conf.ts';
import type { Conf } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';
import { readPrefix } from '../object.ts';

export interface AzureSettings extends ParsedDestination {
  readonly secure: boolean;
  readonly hostname: string;
  readonly port?: number;
  /** The account where it stands in the path (emulators), else empty. */
  readonly accountPath: string;
  readonly container: string;
  readonly prefix: string;
  /** The shared access signature, as it stands in the conf. */
  readonly query: string;
  /** When the signature runs out, milliseconds; absent: a stored policy says it. */
  readonly expiresMs?: number;
}

/** https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata */
const CONTAINER = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/;
/** Of 1,024 characters; a batch's name is below 200. */
const PREFIX_BYTES = 800;
const OWN = new Set(['tls', 'path-style']);

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): AzureSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const problems: ConfProblem[] = [];
  const secure = value(conf, 'tls') !== 'false';
  if (!secure && !policy.allowHttp)
    problems.push(problem('tls', 'plain HTTP is not allowed here: leave it out'));
  const url = readHost(conf, secure);
  problems.push(...signatureProblems(conf));
  if (isProblem(url)) return [url, ...problems];
  const parts = conf.place.split('/').slice(1);
  const accountPath = value(conf, 'path-style') === 'true' ? `/${parts.shift() ?? ''}` : '';
  const container = parts.shift() ?? '';
  if (!CONTAINER.test(container)) {
    const words = 'needs a container of 3 to 63 lower-case letters, digits and single `-`';
    problems.push(problem('destination_conf', words));
  }
  const prefix = readPrefix(parts.join('/'), PREFIX_BYTES);
  if (typeof prefix !== 'string') problems.push(prefix);
  if (typeof prefix !== 'string' || problems.length > 0) return problems;
  const expiresMs = Date.parse(value(conf, 'se') ?? '');
  const query = conf.params.filter(({ name }) => !OWN.has(name)).map(({ raw }) => raw);
  return {
    scheme: conf.scheme,
    address: `azure://${url.host}${accountPath}/${container}/${prefix}`,
    redacted: redact(conf),
    fingerprint: fingerprint(conf.scheme, url.host + accountPath, container, prefix),
    secure,
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    accountPath,
    container,
    prefix,
    query: query.join('&'),
    ...(Number.isNaN(expiresMs) ? {} : { expiresMs }),
  };
}

function value(conf: Conf, name: string): string | undefined {
  return conf.params.find((param) => param.name === name)?.value;
}

function readHost(conf: Conf, secure: boolean): URL | ConfProblem {
  const host = conf.place.split('/', 1)[0] ?? '';
  if (host === '' || host.includes('@')) return problem('destination_conf', 'has no host');
  try {
    return new URL(`${secure ? 'https' : 'http'}://${host}`);
  } catch {
    return problem('destination_conf', 'the host or port cannot be read');
  }
}

/** https://learn.microsoft.com/rest/api/storageservices/create-service-sas: what can be seen to be wrong without asking. */
function signatureProblems(conf: Conf): ConfProblem[] {
  const problems: ConfProblem[] = [];
  if (!value(conf, 'sig')) problems.push(problem('sig', 'is needed: the shared access signature'));
  const permissions = value(conf, 'sp');
  if (permissions === undefined && value(conf, 'si') === undefined)
    problems.push(problem('sp', 'is needed: the shared access signature must permit c (create)'));
  if (permissions !== undefined && !/[cw]/.test(permissions))
    problems.push(
      problem('sp', 'must hold c (create): the signature does not permit to put blobs'),
    );
  const services = value(conf, 'ss');
  if (services !== undefined && !services.includes('b'))
    problems.push(problem('ss', 'must hold b: the signature is not for blobs'));
  const types = value(conf, 'srt');
  if (types !== undefined && !types.includes('o'))
    problems.push(problem('srt', 'must hold o: the signature is not for single blobs'));
  const expiry = value(conf, 'se');
  if (expiry !== undefined && Number.isNaN(Date.parse(expiry)))
    problems.push(problem('se', 'must be a time, as in 2031-01-01T00:00:00Z'));
  return problems;
}
