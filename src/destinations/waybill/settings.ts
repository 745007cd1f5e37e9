/** `waybill://host[:port][,host[:port]…][/{accounts|zones}/<id>/<dataset>]?token=<ingest token>[&tls=false]` */
import { parseStreamKey } from '../../model/scope.ts';
import type { StreamKey } from '../../model/scope.ts';
import { fingerprint, isProblem, problem, readConf, redact, unknownParams } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';

/** Where an ingest listener is when nothing is said. */
const DEFAULT_PORT = 4510;
/** More could not be told apart from a list that was pasted by mistake. */
const RECEIVERS_MOST = 16;
const TOKEN = /^[\x21-\x7e]{1,256}$/;

/** One server that takes lines. */
export interface WaybillReceiver {
  /** For people, such as `logs-1.example:4510`. */
  readonly name: string;
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: number;
}

export interface WaybillSettings extends ParsedDestination {
  /** In the order in which they are tried. */
  readonly receivers: readonly WaybillReceiver[];
  readonly token: string;
  /** The stream there; absent: the same as here. */
  readonly stream?: StreamKey;
}

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): WaybillSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const problems: ConfProblem[] = [...unknownParams(conf, ['token', 'tls'])];
  const param = (name: string): string | undefined =>
    conf.params.find((each) => each.name === name)?.value;
  const tls = param('tls') ?? 'true';
  if (tls !== 'true' && tls !== 'false') problems.push(problem('tls', 'must be true or false'));
  if (tls === 'false' && !policy.allowHttp)
    problems.push(problem('tls', 'plain HTTP is not allowed here: leave it out'));
  const token = param('token') ?? '';
  if (!TOKEN.test(token))
    problems.push(problem('token', 'must be an ingest token of the receiver'));

  const [hosts = '', ...rest] = conf.place.split('/');
  const receivers = readReceivers(hosts.split(','), tls !== 'false');
  if (isProblem(receivers)) problems.push(receivers);
  const path = rest.join('/');
  const stream = path === '' ? undefined : path;
  if (stream !== undefined && parseStreamKey(stream) === undefined) {
    problems.push(
      problem('destination_conf', 'may name a stream behind the host as zones/<id>/<dataset>'),
    );
  }
  if (isProblem(receivers) || problems.length > 0) return problems;
  return {
    scheme: conf.scheme,
    address: `${conf.scheme}://${conf.place}`,
    redacted: redact(conf),
    fingerprint: fingerprint(conf.scheme, hosts, '', path),
    receivers,
    token,
    ...(stream === undefined ? {} : { stream: stream as StreamKey }),
  };
}

function readReceivers(
  hosts: readonly string[],
  secure: boolean,
): readonly WaybillReceiver[] | ConfProblem {
  if (hosts.length > RECEIVERS_MOST)
    return problem('destination_conf', `may name at most ${RECEIVERS_MOST} receivers`);
  const receivers: WaybillReceiver[] = [];
  for (const host of hosts) {
    const receiver = readReceiver(host, secure);
    if (receiver === undefined)
      return problem('destination_conf', 'the host or port of a receiver cannot be read');
    if (receivers.some(({ name }) => name === receiver.name))
      return problem('destination_conf', 'names a receiver twice');
    receivers.push(receiver);
  }
  return receivers;
}

/** @param host `name`, `name:port` or `[address]:port` */
function readReceiver(host: string, secure: boolean): WaybillReceiver | undefined {
  if (!/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?$/.test(host)) return undefined;
  // A scheme without a port of its own keeps the one that is given.
  const url = URL.parse(`x://${host}`);
  if (url === null || url.hostname === '') return undefined;
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  return port === 0 ? undefined : { name: host, secure, hostname: url.hostname, port };
}
