/**
 * Each vendor's stand-in takes what we send and refuses what its documentation calls a mistake; each mistake that the
 * destination's page lists has a test here. The whole conformance suite meets them in `web.conformance.long.test.ts`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { testDialler } from '../../../test/servers/dialler.ts';
import { framedBatch, withBody } from '../../../test/servers/framed-batch.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import {
  READERS_SECRET,
  startVendor,
  VENDOR_CONFS,
  VENDOR_SECRET,
} from '../../../test/servers/vendor-stand-ins.ts';
import { limits } from '../../model/limits.ts';
import { sampleBatch } from '../conformance.ts';
import type { Batch } from '../destination.ts';
import { describeDestinations, hasProblems, openDestination, parseDestination } from '../index.ts';

const policy = { allowHttp: true, fileRoots: [] };
const dialler = testDialler();
after(() => dialler.close());

const LINES = Array.from({ length: 40 }, (_, n) => `{"n":${n},"t":"é \\"${n}\\" \\t"}`);

interface Mistake {
  /** The beginning of its row on the page; absent: none that a customer can make. */
  readonly listed?: string;
  readonly conf?: (conf: string) => string;
  readonly batch?: (conf: string) => Batch;
  /** What becomes of it: an outcome's JSON, or with `problem` what is said when the job is made. */
  readonly outcome?: RegExp;
  readonly problem?: RegExp;
  /** The vendor takes it and it is no mistake of ours: what shows that. */
  readonly holds?: () => void;
}

const swap = (from: string | RegExp, to: string) => (conf: string) => conf.replaceAll(from, to);
const wrongSecret = swap(VENDOR_SECRET, 'other-secret-22');
const padded = (bytes: number) => (conf: string) =>
  framedBatch(
    conf,
    Array.from({ length: 10 }, () => `{"a":"${'x'.repeat(bytes / 10)}"}`),
  );
const typed = (contentType: string) => (conf: string) => ({
  ...framedBatch(conf, LINES),
  contentType,
});
const bare = (text: string) => (conf: string) => ({
  ...withBody(Buffer.from(text)),
  contentType: framedBatch(conf, LINES).contentType,
});
const wrongPath: Mistake = { conf: swap('/v', '/w'), problem: /^the path must/ };
const noToken: Mistake = {
  listed: 'no `header_Authorization`',
  conf: swap(/header_Authorization=[^&]*&?/g, ''),
  problem: /is needed/,
};

/** By vendor, by what is wrong. */
const MISTAKES: Readonly<Record<string, Readonly<Record<string, Mistake>>>> = {
  splunk: {
    'no channel': {
      listed: '`channel` missing or no GUID',
      conf: swap(/channel=[^&]*&/g, ''),
      problem: /needed, a GUID/,
    },
    'a channel that is no GUID': { conf: swap('9d6c3e0a-', ''), problem: /needed, a GUID/ },
    'the path of the event endpoint': {
      listed: 'a path that is not `/services/collector/raw`',
      conf: swap('/raw', '/event'),
      problem: /the path must be/,
    },
    'unchecked certificates': {
      listed: '`insecure-skip-verify=true`',
      conf: (conf) => `${conf}&insecure-skip-verify=true`,
      problem: /always checked/,
    },
    'the word Splunk missing': {
      listed: 'the word `Splunk` missing before the token',
      conf: swap('Splunk%20', 'Bearer%20'),
      outcome: /"retry".*code 3: .*must be Splunk and the token/,
    },
    'another token': {
      listed: 'a token that is not known, or is disabled',
      conf: wrongSecret,
      outcome: /"retry".*code 4: the token is not known/,
    },
    'a disabled token': {
      conf: swap(VENDOR_SECRET, 'switched-off'),
      outcome: /"retry".*code 1: the token is disabled/,
    },
    'a token in the URL': {
      listed: 'the token in the URL (`token=`)',
      conf: (conf) => `${conf}&token=${VENDOR_SECRET}`,
      outcome: /"retry".*code 16: the collector takes no token in the URL/,
    },
    'an index that is not the token’s': {
      listed: 'an index that the token may not write to',
      conf: (conf) => `${conf}&index=forbidden`,
      outcome: /"retry".*code 7/,
    },
    'a batch over max_content_length': { batch: padded(1_200_000), outcome: /"split".*code 27/ },
    'an empty batch': { batch: bare(''), outcome: /"reject".*code 5/ },
  },
  datadog: {
    'no key': {
      listed: 'no `header_DD-API-KEY`',
      conf: swap(/header_DD-API-KEY=[^&]*&/g, ''),
      problem: /is needed/,
    },
    'another path': {
      listed: 'a path that is not `/api/v2/logs`',
      conf: swap('/v2/', '/v9/'),
      problem: /the path must be/,
    },
    'a key of another site': {
      listed: 'a key of another site',
      conf: wrongSecret,
      outcome: /"retry".*the API key was not accepted/,
    },
    'a log of more than 1 MB': {
      listed: 'a log of more than 1 MB',
      holds: () => assert.ok(limits.ingest.lineBytesMax < 1_000_000, 'no line is as long'),
    },
    'lines in place of an array': { batch: bare('{"a":1}\n{"b":2}\n'), outcome: /"reject".*400/ },
    'another content type': { batch: typed('text/plain'), outcome: /"reject".*415/ },
    'more than 5 MB': { batch: padded(5_200_000), outcome: /"split".*413/ },
    'more than 1,000 logs': {
      batch: (conf) =>
        framedBatch(
          conf,
          Array.from({ length: 1_001 }, () => '{}'),
        ),
      outcome: /"split".*413/,
    },
  },
  sentinelone: {
    'no token': noToken,
    'another path': {
      listed: 'a path that does not end with `/services/collector/raw`',
      conf: swap('/raw', '/event'),
      problem: /the path must be/,
    },
    'another key': {
      listed: 'a key that may only read, or of another site',
      conf: wrongSecret,
      outcome: /"retry".*401/,
    },
    'a batch over the limit': { batch: padded(6_200_000), outcome: /"split".*413/ },
    'lines that are no JSON': { batch: bare('not JSON\n'), outcome: /"reject".*400/ },
  },
  newrelic: {
    'no key': {
      listed: 'no key',
      conf: swap(/header_Api-Key=[^&]*/g, 'a=b'),
      problem: /is needed/,
    },
    'a key of the other region': {
      listed: 'a key of the other region',
      conf: wrongSecret,
      outcome: /"retry".*the license key was not accepted/,
    },
    'another path': { ...wrongPath, listed: 'a path that is not `/log/v1`' },
    'another content type': { batch: typed('text/plain'), outcome: /"reject".*415/ },
    'times in seconds': {
      batch: bare('[{"logs":[{"timestamp":1767312000,"message":"x"}]}]'),
      outcome: /"reject".*400/,
    },
    'more than 1 MB as sent': {
      batch: () => ({ ...sampleBatch(1_500_000), contentType: 'application/json' }),
      outcome: /"split".*413/,
    },
  },
  sumo: {
    'another path': { ...wrongPath, listed: 'a path that is not `/receiver/v1/http/<code>`' },
    'the code of another source': {
      listed: 'a code that is no source’s',
      conf: wrongSecret,
      outcome: /"retry".*not that of a source/,
    },
    'more than 1 MB': { batch: padded(1_200_000), outcome: /"split".*413/ },
  },
  ibmcl: {
    'no key': {
      listed: 'no `ibm_api_key`',
      conf: swap(/ibm_api_key=[^&]*&/g, ''),
      problem: /is needed/,
    },
    'another path': { ...wrongPath, listed: 'a path that is not `/logs/v1/singles`' },
    'an API key that IAM does not know': {
      listed: 'an API key that IAM does not know',
      conf: wrongSecret,
      outcome: /"retry".*not accepted by the token service/,
    },
    'a key without the role': {
      listed: 'a service ID without the role Sender',
      conf: swap(VENDOR_SECRET, READERS_SECRET),
      outcome: /"retry".*403: the API key lacks the role Sender/,
    },
    'lines in place of an array': { batch: bare('{"a":1}\n{"b":2}\n'), outcome: /"reject".*400/ },
    'times in seconds': {
      batch: bare('[{"applicationName":"a","subsystemName":"b","timestamp":1767312000,"text":1}]'),
      outcome: /"reject".*400/,
    },
    'more than 2 MB': { batch: padded(2_200_000), outcome: /"split".*413/ },
  },
  axiom: {
    'no token': noToken,
    'another path': {
      listed: 'a path that is not `/v1/datasets/<dataset>/ingest`',
      conf: swap('/ingest', '/query'),
      problem: /the path must be/,
    },
    'another token': {
      listed: 'a token that may not ingest into the dataset',
      conf: wrongSecret,
      outcome: /"retry".*403/,
    },
    'a dataset that is not there': {
      listed: 'a dataset that does not exist',
      conf: swap('/logs/', '/nowhere/'),
      outcome: /"retry".*404/,
    },
    'more fields than the dataset takes': {
      listed: 'more than the dataset’s number of fields',
      batch: (conf) => framedBatch(conf, ['{"a":1}', '{"too_many_fields":1}']),
      outcome: /"reject".*did not take 1 of the lines/,
    },
    'another content type': { batch: typed('text/plain'), outcome: /"reject".*415/ },
  },
};

/** Rows that are advice: nothing that we send could be refused. */
const ADVICE = [
  '202 is not yet "stored"',
  'one source for several jobs',
  'lines older than 18 hours',
  'the array made by `batch_prefix`',
];

async function send(conf: string, batch: Batch): Promise<string> {
  const sender = await openDestination(conf, testTools({ dialler }));
  try {
    return JSON.stringify(await sender.send(batch, new AbortController().signal));
  } finally {
    await sender.close();
  }
}

describe('strict stand-ins', () => {
  test('every vendor has one', () => {
    const names = Object.keys(VENDOR_CONFS);
    assert.deepEqual(Object.keys(MISTAKES), names);
    const schemes = describeDestinations().flatMap(({ schemes: each }) => each);
    assert.ok(names.every((name) => schemes.includes(name)));
  });

  for (const [name, confOf] of Object.entries(VENDOR_CONFS)) {
    test(`${name}: what we send is taken, every line of it`, async () => {
      const server = await startVendor(name);
      const conf = confOf(server.place, '&tls=false');
      assert.match(await send(conf, framedBatch(conf, LINES)), /"accepted"/);
      const text = server.taken()[0]?.toString() ?? '';
      for (const line of LINES)
        assert.ok(text.includes(line) || text.includes(JSON.stringify(line)), line);
      await server.close();
    });

    const mistakes = MISTAKES[name] ?? {};
    for (const [what, { conf: spoil, batch, outcome, problem, holds }] of Object.entries(
      mistakes,
    )) {
      test(`${name}: ${what} is refused, and told in plain words`, async () => {
        const server = await startVendor(name);
        const good = confOf(server.place, '&tls=false');
        const conf = spoil?.(good) ?? good;
        const parsed = parseDestination(conf, policy);
        assert.equal(hasProblems(parsed), problem !== undefined, JSON.stringify(parsed));
        holds?.();
        if (problem && hasProblems(parsed))
          assert.match(parsed.map(({ message }) => message).join('\n'), problem);
        if (outcome) {
          const said = await send(conf, batch?.(good) ?? framedBatch(good, LINES));
          assert.match(said, outcome);
          assert.ok(!said.includes('secret'), said);
          // Axiom takes the others, and says how many it did not take.
          assert.equal(server.taken().length, said.includes('did not take') ? 1 : 0);
        }
        await server.close();
      });
    }

    test(`${name}: each mistake that the page lists has a test`, () => {
      const url = new URL(`../../../docs/destinations/${name}.md`, import.meta.url);
      const [, section = ''] =
        /## Mistakes[^\n]*\n([^]*?)\n## /.exec(readFileSync(url, 'utf8')) ?? [];
      const rows = [...section.matchAll(/^- (.*)$/gm)].map(([, row]) => row ?? '');
      const listed = Object.values(mistakes).flatMap(({ listed: text }) => text ?? []);
      assert.ok(rows.length >= 3, section);
      const isHeld = (row: string): boolean =>
        [...listed, ...ADVICE].some((text) => row.startsWith(text));
      assert.deepEqual(
        rows.filter((row) => !isHeld(row)),
        [],
        'rows without a test',
      );
      assert.deepEqual(
        listed.filter((text) => !rows.some((row) => row.startsWith(text))),
        [],
        'tests without a row',
      );
    });
  }
});
