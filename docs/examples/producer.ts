/** Sends lines from a service of your own. Shown in docs/producer-library.md, run by test/producer-library.test.ts. */
import { createProducer, keepWanted } from 'waybill/client';

const { INGEST_URL = 'http://127.0.0.1:4510', CONTROL_URL = 'http://127.0.0.1:4511' } = process.env;
const { WAYBILL_TOKEN: token = '', SPOOL_DIR: directory = 'spool' } = process.env;

const say = (text: string) => process.stderr.write(`${text}\n`);

// Which streams somebody wants; the last good answer stays, whatever the server says later.
const wanted = keepWanted({ url: CONTROL_URL, token });

const producer = createProducer({
  url: INGEST_URL,
  token,
  target: { scope: { kind: 'zone', id: 'shop' }, dataset: 'http_requests' },
  compression: 'gzip',
  bodyBytes: 256 * 1024,
  bodyLines: 1_000,
  lingerMs: 100,
  wanted,
  // What is not decided when the process ends is sent by the next one.
  spool: { directory, bytes: 100 * 1024 * 1024 },
  onRetry: (detail, afterMs) => say(`again in ${Math.round(afterMs)} ms: ${detail}`),
  onResult: (result) => {
    if (result.kind === 'refused') say(`will never be taken: ${result.error?.message}`);
  },
});

for (let n = 0; n < 2_500; n++) {
  // Waits while the spool is full. `tryWrite` says no instead.
  await producer.write(`${JSON.stringify({ n, at: new Date().toISOString() })}\n`);
}
await producer.close();
wanted.close();
process.stdout.write(`${JSON.stringify(producer.totals())}\n`);
