/** The conformance suite over every destination that is one POST a batch. */
import { describe, test } from 'node:test';
import type { Script } from '../../test/servers/scripted-http.ts';
import { vendorSubject, webSubject } from '../../test/servers/web-subject.ts';
import type { WebSubject } from '../../test/servers/web-subject.ts';
import { clickhouseDestination } from './clickhouse/index.ts';
import { destinationConformance } from './conformance.ts';
import type { DestinationKind } from './destination.ts';
import { elasticsearchDestination } from './elasticsearch/index.ts';
import { httpProfiles } from './http/index.ts';
import { lokiDestination } from './loki/index.ts';
import { otlpDestination } from './otlp/index.ts';

const SECRET = 'open-sesame-1234';
const INNER = 'inner words at 10.1.2.3';
const AUTH = `header_Authorization=Bearer%20${SECRET}`;

function profile(scheme: string): DestinationKind {
  const found = httpProfiles.find(({ describe }) => describe.schemes.includes(scheme));
  if (!found) throw new Error(`no profile ${scheme}`);
  return found;
}

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): Script => ({
  do: 'answer',
  status,
  headers,
  body: JSON.stringify(body),
});

const bulk = { errors: false, items: [] };

/** Taken, and wrong credentials refused, by strict stand-ins for the vendors' servers; what else may happen is scripted. */
const VENDORS: readonly WebSubject[] = [
  vendorSubject(profile('splunk'), {
    scripts: {
      'finds the content bad': answer(400, { text: INNER, code: 6 }),
      'asks to wait': answer(503, { text: INNER, code: 9 }, { 'retry-after': '7' }),
    },
    expected: {
      'refuses the credentials': { kind: 'retry', reason: /token is not known/ },
      'finds the content bad': { kind: 'reject', reason: /code 6: .*invalid/ },
      'asks to wait': { kind: 'retry', reason: /busy/, afterMs: 7_000 },
    },
  }),
  vendorSubject(profile('datadog'), {
    expected: { 'refuses the credentials': { kind: 'retry', reason: /403: the API key was not/ } },
  }),
  vendorSubject(profile('sentinelone')),
  vendorSubject(profile('newrelic'), {
    expected: { 'refuses the credentials': { kind: 'retry', reason: /the license key was not/ } },
  }),
  vendorSubject(profile('sumo')),
  vendorSubject(profile('ibmcl'), {
    expected: { 'refuses the credentials': { kind: 'retry', reason: /by the token service/ } },
  }),
  vendorSubject(profile('axiom'), {
    scripts: { 'finds the content bad': answer(200, { ingested: 4, failed: 1 }) },
    expected: {
      'refuses the credentials': { kind: 'retry', reason: /403/ },
      'finds the content bad': { kind: 'reject', reason: /did not take 1 of the lines/ },
    },
  }),
];

const SUBJECTS: readonly WebSubject[] = [
  ...VENDORS,
  {
    kind: elasticsearchDestination,
    conf: (place) => `elasticsearch://${place}/logs?${AUTH}`,
    secrets: [SECRET],
    accept: answer(200, bulk),
    expected: {
      // A success says what became of the lines only in its body.
      'answers endlessly': { kind: 'retry', reason: /unknown/ },
      'answers by half': { kind: 'retry', reason: /unknown/ },
    },
  },
  {
    kind: lokiDestination,
    conf: (place) => `loki://${place}/loki/api/v1/push?label_a=b&${AUTH}`,
    secrets: [SECRET],
    accept: { do: 'answer', status: 204 },
  },
  {
    kind: otlpDestination,
    conf: (place) => `otlp://${place}/v1/logs?resource_a=b&${AUTH}`,
    secrets: [SECRET],
    scripts: {
      'finds the content bad': answer(200, {
        partialSuccess: { rejectedLogRecords: '3', errorMessage: INNER },
      }),
    },
    expected: { 'finds the content bad': { kind: 'reject', reason: /did not take 3/ } },
  },
  {
    kind: clickhouseDestination,
    conf: (place) => `clickhouse://${place}/?table=t&user=u&password=${SECRET}`,
    secrets: [SECRET],
    scripts: {
      'refuses the credentials': answer(403, INNER, { 'x-clickhouse-exception-code': '516' }),
      'finds the content bad': answer(400, INNER, { 'x-clickhouse-exception-code': '27' }),
      'has no space': answer(500, INNER, { 'x-clickhouse-exception-code': '243' }),
    },
    expected: {
      'refuses the credentials': { kind: 'retry', reason: /user or password/ },
      'finds the content bad': { kind: 'reject', reason: /cannot be read as a row/ },
      'has no space': { kind: 'retry', reason: /disk is full/ },
    },
  },
];

// Side by side: most of them wait.
describe('web destinations', { concurrency: 6 }, () => {
  for (const subject of SUBJECTS) {
    for (const { name, check } of destinationConformance(webSubject(subject))) test(name, check);
  }
});
