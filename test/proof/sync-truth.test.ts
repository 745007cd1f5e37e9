// The checker of traces, held to traces in which one thing is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readTrace } from './strace.ts';
import { checkSyncTruth } from './sync-truth.ts';

const SEGMENT = '/d/log/0000000000000001-0000000000000000.seg';
const DRAFT = SEGMENT.replace('.seg', '.new');
const BODY = String.raw`{\"streams\":[{\"epoch\":\"e1\",\"offsets\":{\"from\":0,\"to\":2}}]}`;

/** As strace writes them down for a server that does everything right. */
const TRUE = {
  folder: '7 mkdir("/d/log", 0700) = 0',
  folderSync: '7 fsync(9</d>) = 0',
  made: `7 openat(AT_FDCWD</d>, "${DRAFT}", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 5<${DRAFT}>`,
  head: `7 pwrite64(5<${DRAFT}>, "WAYBSEG\\n"..., 64, 0) = 64`,
  named: `7 rename("${DRAFT}", "${SEGMENT}") = 0`,
  nameSync: '7 fsync(9</d/log>) = 0',
  lines: `8 pwritev(5<${SEGMENT}>, [{iov_base="WBFR \\"x) = 7"..., iov_len=40}, {iov_base="abc", iov_len=60}], 2, 64) = 100`,
  linesSync: `8 fdatasync(5<${SEGMENT}>) = 0`,
  answer: `6 write(11<TCP:[127.0.0.1:4510->127.0.0.1:999]>, "HTTP/1.1 200 OK\\r\\nContent-Length: 56\\r\\n\\r\\n${BODY}", 99) = 99`,
  plan: `8 pwrite64(5<${SEGMENT}>, "WBFR"..., 36, 164) = 36`,
  planSync: `8 fdatasync(5<${SEGMENT}>) = 0`,
  attempt: `6 writev(12<TCP:[127.0.0.1:998->127.0.0.1:80]>, [{iov_base="POST /z HTTP/1.1\\r\\nidempotency-key: 1-e1-0-2\\r\\n\\r\\n", iov_len=50}], 1) = 50`,
};
type Trace = typeof TRUE;

const PLACES = {
  segments: 1,
  blocks: [
    {
      path: SEGMENT,
      from: 64,
      to: 164,
      record: { from: 64, to: 164 },
      epoch: 'e1',
      first: 0,
      lines: 2,
    },
  ],
  plans: new Map([['1-e1-0-2', { path: SEGMENT, from: 164, to: 200 }]]),
};

function check(...traces: readonly Partial<Trace>[]) {
  const lines = traces.flatMap((trace) => Object.values(trace));
  const calls = readTrace(`${lines.join('\n')}\n`);
  return checkSyncTruth(calls, PLACES, { ingest: 4510, destination: 80 });
}

function liesWithout(...left: readonly (keyof Trace)[]): readonly string[] {
  const trace: Partial<Trace> = { ...TRUE };
  for (const key of left) delete trace[key];
  return check(trace).lies;
}

const liesWith = (change: Partial<Trace>) => check({ ...TRUE, ...change }).lies;

test('a true trace holds, and everything in it is counted', () => {
  assert.deepEqual(check(TRUE), { answers: 1, lines: 2, attempts: 1, lies: [] });
});

test('each sync that is missing shows, in what rests on it', () => {
  assert.match(liesWithout('linesSync')[0]!, /lines 0 to 2 of e1 were answered: .*not synced/);
  assert.equal(liesWithout('linesSync').length, 1, 'the plan was synced');
  assert.match(liesWithout('planSync')[0]!, /batch 1-e1-0-2 was sent: .*not synced/);
  assert.match(liesWithout('lines', 'linesSync')[0]!, /was not written/);
  assert.match(liesWithout('nameSync')[0]!, /the name .*\.seg was made and its folder not synced/);
  assert.match(
    liesWithout('folderSync')[0]!,
    /the name \/d\/log was made and its folder not synced/,
  );
});

test('where writes sync by themselves none is missing, and only the way in which the file was opened says so', () => {
  const syncing = TRUE.made.replace('O_EXCL', 'O_EXCL|O_DSYNC');
  const { linesSync: _lines, planSync: _plan, ...rest } = TRUE;
  assert.deepEqual(check({ ...rest, made: syncing }).lies, []);
  assert.match(check(rest).lies[0]!, /lines 0 to 2 of e1 were answered: .*not synced/);
  const again = `${syncing}\n${TRUE.made}`;
  assert.match(check({ ...rest, made: again }).lies[0]!, /not synced/);
  const failed = TRUE.lines.replace('= 100', '= -1 EIO (Input/output error)');
  assert.match(check({ ...rest, made: syncing, lines: failed }).lies[0]!, /was not written/);
  const late = TRUE.lines.replace(') = 100', ' <unfinished ...>');
  const answer = `${TRUE.answer}\n8 <... pwritev resumed>) = 100`;
  assert.match(check({ ...rest, made: syncing, lines: late, answer }).lies[0]!, /was not written/);
});

test('a sync counts only from its end, and only for what had been written when it began', () => {
  const { linesSync: sync, lines: write } = TRUE;
  const begun = sync.replace(') = 0', ' <unfinished ...>');
  const ended = '8 <... fdatasync resumed>) = 0';
  assert.deepEqual(liesWith({ linesSync: `${begun}\n${ended}` }), []);
  assert.match(
    liesWith({ linesSync: begun, answer: `${TRUE.answer}\n${ended}` })[0]!,
    /not synced/,
  );
  const late = write.replace(/^8/, '9').replace(') = 100', ' <unfinished ...>');
  const during = `${late}\n${begun}\n9 <... pwritev resumed>) = 100\n${ended}`;
  assert.match(liesWith({ lines: '8 getpid() = 8', linesSync: during })[0]!, /not synced/);
});

test('a sync that failed, that was never carried out or that is of another file does not count', () => {
  const not = (linesSync: string) => assert.match(liesWith({ linesSync })[0]!, /not synced/);
  not(TRUE.linesSync.replace('= 0', '= -1 EIO (Input/output error)'));
  not(TRUE.linesSync.replace('= 0', '= 0 (INJECTED)'));
  not(TRUE.linesSync.replace(SEGMENT, '/d/other'));
  not(TRUE.linesSync.replace(') = 0', ' <unfinished ...>'));
});

test('a write that was cut short does not count further than it got', () => {
  const [lie] = liesWith({ lines: TRUE.lines.replace('= 100', '= 99') });
  assert.match(lie!, /byte 163 of .* was not written/);
});

test('an answer counts from the first byte of its head, however many pieces it is written in', () => {
  const [head, body] = TRUE.answer.split('Content-Length');
  const first = `${head}", 17) = 17`;
  const rest = `6 write(11<TCP:[127.0.0.1:4510->127.0.0.1:999]>, "Content-Length${body}`;
  assert.deepEqual(check({ ...TRUE, answer: `${first}\n${rest}` }).lies, []);
  const early = `${first}\n${TRUE.linesSync}\n${rest}`;
  assert.match(
    liesWith({ linesSync: early, answer: '6 getpid() = 6' })[0]!,
    /lines 0 to 2 of e1 were answered: .*not synced/,
  );
});

test('lines that stand nowhere are a lie, and a trace that cannot be read is no proof', () => {
  const other = TRUE.answer.replaceAll('e1', 'e2');
  assert.match(liesWith({ answer: other })[0]!, /stands nowhere/);
  assert.throws(
    () => check({ ...TRUE, answer: TRUE.answer.replace(/\}\]\}",/, '"...,') }),
    /whole/,
  );
  assert.throws(() => readTrace('no trace at all\n'), /line 1/);
});
