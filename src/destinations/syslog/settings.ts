/** `syslog://host[:port][?transport=tls&hostname=H&app=A&facility=16&severity=6]` */
import type { DialCertificates } from '../../lib/net/dialler.ts';
import { CERTIFICATE_PARAMS, readCertificates } from '../client-certificate.ts';
import { fingerprint, isProblem, problem, readConf, redact, unknownParams } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';

export interface SyslogSettings extends ParsedDestination {
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: number;
  /** Of the client and of the receiver's authority. */
  readonly certificates?: DialCertificates;
  /** What stands before each message's text but for its time and batch (RFC 5424 §6.2). */
  readonly header: {
    readonly priority: number;
    readonly hostname: string;
    readonly app: string;
  };
}

const PARAMS = ['transport', 'hostname', 'app', 'facility', 'severity', ...CERTIFICATE_PARAMS];
const DEFAULT_PORT = 6514;

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): SyslogSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const problems = unknownParams(conf, PARAMS);
  const param = (name: string) => conf.params.find((each) => each.name === name)?.value;
  const transport = param('transport') ?? 'tls';
  if (transport !== 'tls' && transport !== 'tcp')
    problems.push(problem('transport', 'must be tls or tcp'));
  if (transport === 'tcp' && !policy.allowHttp)
    problems.push(problem('transport', 'what is not encrypted is not allowed here: use tls'));
  const name = (what: string, most: number): string => {
    const given = param(what) ?? 'waybill';
    if (!/^[\x21-\x7e]+$/.test(given) || given.length > most)
      problems.push(problem(what, `must be 1 to ${most} visible ASCII characters`));
    return given;
  };
  const number = (what: string, most: number, fallback: number): number => {
    const given = param(what) ?? String(fallback);
    if (!/^\d{1,2}$/.test(given) || Number(given) > most)
      problems.push(problem(what, `must be a number from 0 to ${most}`));
    return Number(given);
  };
  const priority = number('facility', 23, 16) * 8 + number('severity', 7, 6);
  const header = { priority, hostname: name('hostname', 255), app: name('app', 48) };
  const url = readHost(conf.place);
  const certificates = readCertificates(conf, transport === 'tls');
  if (isProblem(url)) return [url, ...problems];
  if (certificates !== undefined && isProblem(certificates)) return [certificates, ...problems];
  if (problems.length > 0) return problems;
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  return {
    scheme: conf.scheme,
    address: `syslog://${url.hostname}:${port}`,
    redacted: redact(conf),
    fingerprint: fingerprint(conf.scheme, `${url.hostname}:${port}`),
    encoding: 'identity',
    secure: transport === 'tls',
    hostname: url.hostname,
    port,
    header,
    ...(certificates === undefined ? {} : { certificates }),
  };
}

function readHost(place: string): URL | ConfProblem {
  const host = place.replace(/\/$/, '');
  const wrong = problem('destination_conf', 'needs a host, as in syslog://logs.example.com:6514');
  if (host === '' || /[/@\\]/.test(host)) return wrong;
  try {
    // Of a scheme whose usual port the parser does not drop.
    return new URL(`ws://${host}`).hostname === '' ? wrong : new URL(`http://${host}`);
  } catch {
    return wrong;
  }
}
