/** Each vendor's stand-in takes what we send, and refuses every mistake that the destination's page lists. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { testDialler } from '../../../test/servers/dialler.ts';
import { testTools } from '../../../test/servers/scripted-rig.ts';
import {
  CHANNEL,
  startVendor,
  VENDOR_SECRET,
  VENDORS,
} from '../../../test/servers/vendor-stand-ins.ts';
import { sampleBatch } from '../conformance.ts';
import type { Batch } from '../destination.ts';
import { frameLines, hasProblems, openDestination, parseDestination } from '../index.ts';

const policy = { allowHttp: true, fileRoots: [] };
const dialler = testDialler();
after(() => dialler.close());

const LINES = Array.from({ length: 40 }, (_, n) => `{"n":${n},"t":"é \\"${n}\\" \\t"}`);

/** A batch as delivery makes it for a conf. */
function batchFor(conf: string, lines: readonly string[] = LINES): Batch {
  const parsed = parseDestination(conf, policy);
  assert.ok(!hasProblems(parsed), JSON.stringify(parsed));
  const { framing } = parsed;
  const receivedMs = Date.UTC(2026, 0, 2);
  const place = { job: 7, epoch: '00000000000000aa', receivedMs };
  const framed = lines.map((line, offset) => ({ ...place, bytes: Buffer.from(line), offset }));
  const plain = framing ? frameLines(framing, framed) : Buffer.from(`${lines.join('\n')}\n`);
  return { ...withBody(plain), contentType: framing?.contentType ?? 'application/x-ndjson' };
}

function withBody(plain: Buffer): Batch {
  const body = gzipSync(plain);
  const sizes = { bodyBytes: body.length, plainBytes: plain.length };
  return { ...sampleBatch(100), body: [body], ...sizes };
}

interface Mistake {
  /** As the page has it; absent: not one that a customer can make. */
  readonly listed?: string;
  readonly conf?: (conf: string) => string;
  readonly batch?: (conf: string) => Batch;
  readonly outcome: RegExp;
}

interface VendorCase {
  conf(port: number): string;
  readonly mistakes: Readonly<Record<string, Mistake>>;
}

const wrongSecret = (conf: string): string => conf.replaceAll(VENDOR_SECRET, 'other-secret-22');
const large = (bytes: number) => (conf: string) =>
  batchFor(
    conf,
    Array.from({ length: 10 }, () => `{"a":"${'x'.repeat(bytes / 10)}"}`),
  );
const typed = (contentType: string) => (conf: string) => ({ ...batchFor(conf), contentType });
const bare = (text: string) => (conf: string) => ({
  ...withBody(Buffer.from(text)),
  contentType: batchFor(conf).contentType,
});

const CASES: Readonly<Record<string, VendorCase>> = {
  splunk: {
    conf: (port) =>
      `splunk://127.0.0.1:${port}/services/collector/raw?tls=false&channel=${CHANNEL}&header_Authorization=Splunk%20${VENDOR_SECRET}`,
    mistakes: {
      'the word Splunk missing': {
        listed: 'the word `Splunk` missing before the token',
        conf: (conf) => conf.replace('Splunk%20', 'Bearer%20'),
        outcome: /"retry".*code 3: .*must be Splunk and the token/,
      },
      'another token': { conf: wrongSecret, outcome: /"retry".*code 4: the token is not known/ },
      'an index that is not the token’s': {
        listed: 'an index that the token may not write to',
        conf: (conf) => `${conf}&index=forbidden`,
        outcome: /"retry".*code 7/,
      },
      'a batch over max_content_length': { batch: large(1_200_000), outcome: /"split".*code 27/ },
      'an empty batch': { batch: bare(''), outcome: /"reject".*code 5/ },
    },
  },
  datadog: {
    conf: (port) =>
      `datadog://127.0.0.1:${port}/api/v2/logs?tls=false&header_DD-API-KEY=${VENDOR_SECRET}&ddsource=x`,
    mistakes: {
      'a key of another site': {
        listed: 'a key of another site',
        conf: wrongSecret,
        outcome: /"retry".*the API key was not accepted/,
      },
      'lines in place of an array': { batch: bare('{"a":1}\n{"b":2}\n'), outcome: /"reject".*400/ },
      'another content type': { batch: typed('text/plain'), outcome: /"reject".*415/ },
      'more than 5 MB': { batch: large(5_200_000), outcome: /"split".*413/ },
      'more than 1,000 logs': {
        batch: (conf) =>
          batchFor(
            conf,
            Array.from({ length: 1_001 }, () => '{}'),
          ),
        outcome: /"split".*413/,
      },
    },
  },
  sentinelone: {
    conf: (port) =>
      `sentinelone://127.0.0.1:${port}/services/collector/raw?tls=false&header_Authorization=Bearer%20${VENDOR_SECRET}`,
    mistakes: {
      'another key': {
        listed: 'a key that may only read, or of another site',
        conf: wrongSecret,
        outcome: /"retry".*401/,
      },
      'a batch over the limit': { batch: large(6_200_000), outcome: /"split".*413/ },
    },
  },
  newrelic: {
    conf: (port) => `newrelic://127.0.0.1:${port}/log/v1?tls=false&header_Api-Key=${VENDOR_SECRET}`,
    mistakes: {
      'a key of the other region': {
        listed: 'a key of the other region',
        conf: wrongSecret,
        outcome: /"retry".*the license key was not accepted/,
      },
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
  },
  sumo: {
    conf: (port) => `sumo://127.0.0.1:${port}/receiver/v1/http/${VENDOR_SECRET}?tls=false`,
    mistakes: {
      'the code of another source': {
        listed: 'a code that is no source’s',
        conf: wrongSecret,
        outcome: /"retry".*not that of a source/,
      },
      'more than 1 MB': { batch: large(1_200_000), outcome: /"split".*413/ },
    },
  },
  ibmcl: {
    conf: (port) =>
      `ibmcl://127.0.0.1:${port}/logs/v1/singles?tls=false&ibm_api_key=${VENDOR_SECRET}&iam=http://127.0.0.1:${port}/identity/token`,
    mistakes: {
      'an API key that IAM does not know': {
        listed: 'an API key that IAM does not know',
        conf: wrongSecret,
        outcome: /"retry".*not accepted by the token service/,
      },
      'lines in place of an array': { batch: bare('{"a":1}\n{"b":2}\n'), outcome: /"reject".*400/ },
      'times in seconds': {
        batch: bare(
          '[{"applicationName":"a","subsystemName":"b","timestamp":1767312000,"text":1}]',
        ),
        outcome: /"reject".*400/,
      },
      'more than 2 MB': { batch: large(2_200_000), outcome: /"split".*413/ },
    },
  },
  axiom: {
    conf: (port) =>
      `axiom://127.0.0.1:${port}/v1/datasets/logs/ingest?tls=false&header_Authorization=Bearer%20${VENDOR_SECRET}`,
    mistakes: {
      'another token': {
        listed: 'a token that may not ingest into the dataset',
        conf: wrongSecret,
        outcome: /"retry".*403/,
      },
      'a dataset that is not there': {
        listed: 'a dataset that does not exist',
        conf: (conf) => conf.replace('/logs/', '/nowhere/'),
        outcome: /"retry".*404/,
      },
      'more fields than the dataset takes': {
        listed: 'more than the dataset’s number of fields',
        batch: (conf) => batchFor(conf, ['{"a":1}', '{"too_many_fields":1}']),
        outcome: /"reject".*did not take 1 of the lines/,
      },
      'another content type': { batch: typed('text/plain'), outcome: /"reject".*415/ },
    },
  },
};

describe('strict stand-ins', () => {
  test('every vendor has one', () => {
    assert.deepEqual(Object.keys(CASES).toSorted(), Object.keys(VENDORS).toSorted());
  });

  for (const [name, vendor] of Object.entries(CASES)) {
    const send = async (conf: string, batch: Batch): Promise<string> => {
      const sender = await openDestination(conf, testTools({ dialler }));
      try {
        return JSON.stringify(await sender.send(batch, new AbortController().signal));
      } finally {
        await sender.close();
      }
    };

    test(`${name}: what we send is taken, every line of it`, async () => {
      const server = await startVendor(name);
      const conf = vendor.conf(server.port);
      assert.match(await send(conf, batchFor(conf)), /"accepted"/);
      const text = server.taken[0]?.toString() ?? '';
      for (const line of LINES)
        assert.ok(text.includes(line) || text.includes(JSON.stringify(line)), line);
      server.close();
    });

    for (const [what, mistake] of Object.entries(vendor.mistakes)) {
      test(`${name}: ${what} is refused, and told in plain words`, async () => {
        const server = await startVendor(name);
        const good = vendor.conf(server.port);
        const conf = mistake.conf?.(good) ?? good;
        const said = await send(conf, mistake.batch?.(good) ?? batchFor(good));
        assert.match(said, mistake.outcome);
        assert.ok(!said.includes('secret'), said);
        if (mistake.outcome.source.includes('did not take')) return server.close();
        assert.equal(server.taken.length, 0);
        server.close();
      });
    }

    test(`${name}: the page lists its mistakes`, () => {
      const page = readFileSync(
        new URL(`../../../docs/destinations/${name}.md`, import.meta.url),
        'utf8',
      );
      for (const { listed } of Object.values(vendor.mistakes))
        assert.ok(listed === undefined || page.includes(listed), listed);
    });
  }
});
