/**
 * Destinations that are one POST a batch, from data: what the receiver is called, what its settings mean, how lines stand in a
 * body, and what its answers mean. What is common (the URL, `header_*`, TLS, the marks of a batch, the network's failures)
 * is here; an island adds what is its own.
 */
import { assert } from '../lib/assert.ts';
import type { ExchangeResult } from '../lib/net/exchange.ts';
import { fingerprint, isProblem, problem, publicPart, readConf, redact, REDACTED } from './conf.ts';
import type { Conf } from './conf.ts';
import type {
  Batch,
  ConfProblem,
  DestinationDescription,
  DestinationKind,
  DestinationPolicy,
  DestinationTools,
  Framing,
  ParsedDestination,
  Sender,
  SendOutcome,
  SettingDescription,
} from './destination.ts';
import type { TokenSource } from './token.ts';
import { answerFor, outcomeOf } from './web-answer.ts';
import type { AnswerRow } from './web-answer.ts';
import { readWebPlace, withoutTokens } from './web-conf.ts';
import type { WebPlace, WebTarget } from './web-conf.ts';
import { postBatch } from './web-send.ts';

export type Answer = Extract<ExchangeResult, { kind: 'answer' }>;

/** What an island makes of a conf whose outer form is right. */
export interface WebShape {
  /** Absent: the path of the conf. */
  readonly path?: string;
  /** Besides `header_*`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly framing?: Framing;
}

export interface WebProfile {
  readonly describe: Omit<DestinationDescription, 'settings'>;
  /** Settings of its own, before those that all have. */
  readonly settings: readonly SettingDescription[];
  /** The last part of the path is a secret. */
  readonly hidesPath?: true;
  /** The port when the conf has none; absent: 443. */
  readonly defaultPort?: number;
  /** Parameters with a meaning of their own, which do not stay in the URL. One that ends in `_` stands for all that begin so. */
  readonly own?: readonly string[];
  /** Checks what is the receiver's own and says what follows from it. */
  shape(place: WebPlace, conf: Conf): WebShape | readonly ConfProblem[];
  /** Comes before the common table. */
  readonly answers: readonly AnswerRow[];
  /** Looks into answers whose status does not say all; undefined: the tables decide. */
  judge?(answer: Answer, batch: Batch, nowMs: number): SendOutcome | undefined;
  /** What of the path depends on the batch. */
  pathFor?(path: string, batch: Batch): string;
  /** Bytes of an answer that are looked at, when the usual ones do not do. */
  readonly responseBytes?: number;
  /** Makes what adds credentials that have to be fetched; absent: they stand in the conf. */
  authorizer?(place: WebPlace, tools: DestinationTools): TokenSource;
}

interface WebSettings extends ParsedDestination {
  readonly place: WebPlace;
  readonly target: WebTarget;
}

/** What all of them understand. */
const COMMON: readonly SettingDescription[] = [
  {
    name: 'header_*',
    help: 'Sent as a request header, with its value URL-decoded.',
    required: false,
    secret: true,
    example: 'header_Authorization=Bearer%20abc',
  },
  {
    name: 'tls',
    help: 'false: plain HTTP, where the operator allows it.',
    required: false,
    secret: false,
    example: 'false',
  },
  {
    name: 'insecure-skip-verify',
    help: 'false, or left out: certificates are always checked.',
    required: false,
    secret: false,
    example: 'false',
  },
];

const COMMON_OWN = ['tls', 'insecure-skip-verify'];

export function webDestination(profile: WebProfile): DestinationKind {
  const settingsOf = (text: string, policy: DestinationPolicy) => read(profile, text, policy);
  return {
    describe: { ...profile.describe, settings: [...profile.settings, ...COMMON] },
    parse(text, policy) {
      const settings = settingsOf(text, policy);
      return 'scheme' in settings ? publicPart(settings) : settings;
    },
    open(text, tools) {
      const settings = settingsOf(text, tools.policy);
      assert('scheme' in settings, 'a conf is parsed before it is opened');
      return Promise.resolve(webSender(profile, settings, tools));
    },
  };
}

function read(
  profile: WebProfile,
  text: string,
  policy: DestinationPolicy,
): WebSettings | readonly ConfProblem[] {
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const own = [...COMMON_OWN, ...(profile.own ?? [])];
  const isOwn = (name: string): boolean =>
    own.some((known) => (known.endsWith('_') ? name.startsWith(known) : name === known));
  const tls = conf.params.find(({ name }) => name === 'tls')?.value;
  const place = readWebPlace(conf, tls !== 'false', isOwn);
  if (!('host' in place)) return place;
  const problems = commonProblems(place, policy);
  const shape = profile.shape(place, conf);
  if (isList(shape)) return [...problems, ...shape];
  if (problems.length > 0) return problems;
  const port = place.port ?? profile.defaultPort;
  const hide = (path: string): string =>
    profile.hidesPath ? path.replace(/[^/]+\/*$/, REDACTED) : withoutTokens(path);
  return {
    scheme: conf.scheme,
    address: `${conf.scheme}://${place.host}${hide(place.pathname)}`,
    redacted: redact(conf, hide(conf.place)),
    fingerprint: fingerprint(conf.scheme, place.host, '', place.pathname),
    ...(shape.framing === undefined ? {} : { framing: shape.framing }),
    place,
    target: {
      secure: place.secure,
      hostname: place.hostname,
      ...(port === undefined ? {} : { port }),
      path: shape.path ?? place.path,
      headers: { ...place.headers, ...shape.headers },
    },
  };
}

function isList(shape: WebShape | readonly ConfProblem[]): shape is readonly ConfProblem[] {
  return Array.isArray(shape);
}

function commonProblems(place: WebPlace, policy: DestinationPolicy): ConfProblem[] {
  const problems: ConfProblem[] = [];
  const tls = place.own.get('tls') ?? 'true';
  if (tls !== 'true' && tls !== 'false') problems.push(problem('tls', 'must be true or false'));
  if (tls === 'false' && !policy.allowHttp)
    problems.push(problem('tls', 'plain HTTP is not allowed here: leave it out'));
  const unchecked = place.own.get('insecure-skip-verify') ?? 'false';
  if (unchecked !== 'false')
    problems.push(problem('insecure-skip-verify', 'certificates are always checked here'));
  return problems;
}

function webSender(profile: WebProfile, settings: WebSettings, tools: DestinationTools): Sender {
  const authorize = profile.authorizer?.(settings.place, tools);
  const responseBytes = Math.max(tools.responseBytes, profile.responseBytes ?? 0);
  return {
    async send(batch, signal) {
      const fresh = await authorize?.headers(signal);
      if (fresh?.kind === 'retry') return fresh;
      const { path } = settings.target;
      const target = { ...settings.target, path: profile.pathFor?.(path, batch) ?? path };
      const result = await postBatch(
        target,
        batch,
        { ...tools, responseBytes },
        signal,
        fresh?.headers,
      );
      if (result.kind === 'failed') return { kind: 'retry', reason: result.reason };
      if (result.status === 401) authorize?.forget();
      const nowMs = tools.clock.wallMs();
      const judged = profile.judge?.(result, batch, nowMs);
      return judged ?? outcomeOf(result, answerFor(result.status, profile.answers), nowMs);
    },
    close: () => Promise.resolve(),
  };
}

/** A problem unless one of the headers or parameters is there. */
export function needs(
  place: WebPlace,
  conf: Conf,
  header: string,
  words: string,
  param?: string,
): ConfProblem[] {
  if (place.headers[header] !== undefined) return [];
  if (param !== undefined && conf.params.some(({ name }) => name === param)) return [];
  return [problem(`header_${header}`, words)];
}
