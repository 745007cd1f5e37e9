import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileContent } from '../deliver/content/index.ts';
import { assert as insist } from '../lib/assert.ts';
import { manualClock } from '../lib/clock-manual.ts';
import { silent } from '../lib/diagnostics.ts';
import { seededRandom } from '../lib/random.ts';
import { limits } from '../model/limits.ts';
import type {
  LiveEncoder,
  LiveListener,
  NewLiveSession,
  SessionLimits,
  TappedLines,
  Watch,
} from './contract.ts';
import { LiveSessions } from './sessions.ts';

const STREAM = 'zones/z1/http_requests';

function wish(change: Partial<NewLiveSession> = {}): NewLiveSession {
  const { fieldNames = ['n'] } = change;
  return {
    zone: 'z1',
    stream: STREAM,
    fields: fieldNames.join(','),
    fieldNames,
    dataset: undefined,
    filter: '',
    sample: 1,
    mayGoOn: () => true,
    ...change,
  };
}

function encoderOf({ filter, fieldNames }: NewLiveSession): LiveEncoder {
  const timestamps = { timestamp_format: 'rfc3339' } as const;
  const outputOptions = fieldNames ? { field_names: fieldNames, ...timestamps } : timestamps;
  const encoder = compileContent({ filter, outputOptions }, undefined, '0'.repeat(16));
  insist(encoder !== 'whole', 'times are written in one form');
  return encoder;
}

/** Somebody who listens; with `reads` false his socket takes nothing. */
class Ear implements LiveListener {
  readonly heard: Record<string, unknown>[] = [];
  readonly messages: string[] = [];
  readonly waiting: (() => void)[] = [];
  pings = 0;
  answer: (() => void) | undefined;
  end: string | undefined;
  reads = true;

  send(text: string, sent: () => void): void {
    this.messages.push(text);
    this.heard.push(
      ...text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    );
    if (this.reads) sent();
    else this.waiting.push(sent);
  }
  ping(): void {
    this.pings++;
    this.answer?.();
  }
  close(code: number): void {
    this.end = `closed ${code}`;
  }
  drop(): void {
    this.end = 'dropped';
  }
}

function desk(change: Partial<SessionLimits> = {}) {
  const clock = manualClock();
  const taken: string[] = [];
  const watched: (readonly Watch[])[] = [];
  const live = new LiveSessions({
    clock,
    random: seededRandom(5),
    diagnostics: silent,
    limits: { ...limits.live, ...change },
    encoderOf,
    watch: (watches) => watched.push(watches),
    taken: (session) => taken.push(session),
  });
  const made = (one: NewLiveSession): string => {
    const created = live.create(one);
    assert.ok(created.kind === 'created');
    return created.session.id;
  };
  const join = (session: string, ear: Ear) => {
    const attachment = live.attach(session, ear);
    assert.ok(attachment);
    ear.answer = () => attachment.alive();
    return attachment;
  };
  return { clock, live, taken, watched, made, join };
}

function tapped(session: string, texts: readonly string[], weight = 1): TappedLines {
  return {
    session,
    bytes: new Uint8Array(Buffer.from(texts.map((text) => `${text}\n`).join(''))),
    lines: texts.length,
    weight,
  };
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, n) => `{"n":${n},"odd":${n % 2 === 1},"more":"x"}`);

test('records have the fields asked for and the interval, and lines that are no JSON are left out', () => {
  const { live, made, join, taken } = desk();
  const ear = new Ear();
  const id = made(wish({ fieldNames: ['n', 'missing', 'EdgeStartTimestamp'] }));
  join(id, ear);
  live.tapped(
    tapped(
      id,
      ['{"n":12345678901234567890,"EdgeStartTimestamp":1732000000123456789}', '{broken}', '{}'],
      4,
    ),
  );
  assert.equal(
    ear.messages.join(''),
    '{"n":12345678901234567890,"missing":null,"EdgeStartTimestamp":"2024-11-19T07:06:40Z","sampleInterval":4}\n' +
      '{"n":null,"missing":null,"EdgeStartTimestamp":null,"sampleInterval":4}\n',
  );
  assert.deepEqual(taken, [id]);
});

test('bytes that are no UTF-8 cannot end the connection: they become U+FFFD', () => {
  const { live, made, join } = desk();
  const ear = new Ear();
  const id = made(wish());
  join(id, ear);
  const bytes = new Uint8Array(Buffer.from('{"n":"a\xff"}\n', 'latin1'));
  live.tapped({ session: id, bytes, lines: 1, weight: 1 });
  assert.deepEqual(ear.heard, [{ n: 'a\u{fffd}', sampleInterval: 1 }]);
});

test('the filter comes before the sample, which is exact over many messages', () => {
  const { live, made, join } = desk();
  const ear = new Ear();
  const filter = '{"where":{"key":"odd","operator":"eq","value":true}}';
  const id = made(wish({ filter, sample: 10 }));
  join(id, ear);
  for (let round = 0; round < 40; round++) live.tapped(tapped(id, numbered(50)));
  assert.equal(ear.heard.length, 100, 'one in ten of 1,000 odd ones');
  assert.ok(
    ear.heard.every(({ n, sampleInterval }) => Number(n) % 2 === 1 && sampleInterval === 10),
  );
});

test('what passes beyond the bound of a message makes the sample coarser, and the intervals still sum to the truth', () => {
  const { live, made, join } = desk({ records: 100 });
  const ear = new Ear();
  const id = made(wish());
  join(id, ear);
  for (let round = 0; round < 20; round++) live.tapped(tapped(id, numbered(1_000), 3));
  assert.ok(ear.messages.every((message) => message.split('\n').length <= 102));
  const sum = ear.heard.reduce((total, { sampleInterval }) => total + Number(sampleInterval), 0);
  assert.ok(Math.abs(sum - 60_000) < 1_000, `${sum} for 60,000`);
});

test('a listener that reads nothing has one message under way, and the tap is not told to go on', () => {
  const { live, made, join, taken } = desk();
  const ear = new Ear();
  ear.reads = false;
  const id = made(wish());
  join(id, ear);
  live.tapped(tapped(id, numbered(3)));
  assert.deepEqual([ear.messages.length, taken.length], [1, 0]);
  ear.waiting[0]?.();
  assert.deepEqual(taken, [id]);
});

test('streams are looked at only while somebody listens', () => {
  const { made, join, watched, live } = desk();
  const id = made(wish());
  assert.deepEqual(live.watches(), []);
  const attachment = join(id, new Ear());
  assert.deepEqual(watched.at(-1), [{ session: id, stream: STREAM }]);
  attachment.detach();
  assert.deepEqual(watched.at(-1), []);
});

test('a zone has one session: it is taken while somebody listens, and begun anew when nobody does', () => {
  const { live, made, join } = desk();
  const first = made(wish());
  const second = made(wish({ sample: 5 }));
  assert.equal(live.admit(first), 404);
  assert.equal(live.ofZone('z1')?.id, second);
  join(second, new Ear());
  assert.deepEqual(live.create(wish()), { kind: 'taken' });
  made(wish({ zone: 'z2', stream: 'zones/z2/http_requests' }));
});

test('there are no more sessions than the server bears', () => {
  const { live, made } = desk({ sessions: 2 });
  made(wish());
  made(wish({ zone: 'z2' }));
  assert.deepEqual(live.create(wish({ zone: 'z3' })), { kind: 'full' });
});

test('a session ends after an hour whoever listens, and after five minutes when nobody does', () => {
  const { clock, live, made, join } = desk();
  const ear = new Ear();
  const heard = made(wish());
  join(heard, ear);
  const alone = made(wish({ zone: 'z2' }));
  clock.advance(299_000);
  assert.equal(live.admit(alone), 'yes');
  clock.advance(2_000);
  assert.equal(live.admit(alone), 404);
  clock.advance(54 * 60_000);
  assert.equal(ear.end, undefined);
  clock.advance(60_000);
  assert.equal(ear.end, 'closed 1000');
  assert.equal(live.ofZone('z1'), undefined);
  assert.equal(clock.timers(), 0, 'nothing is left to look after');
});

test('the five minutes begin anew when a listener leaves', () => {
  const { clock, live, made, join } = desk();
  const id = made(wish());
  const attachment = join(id, new Ear());
  clock.advance(290_000);
  attachment.detach();
  clock.advance(299_000);
  assert.equal(live.ofZone('z1')?.id, id);
  clock.advance(2_000);
  assert.equal(live.ofZone('z1'), undefined);
});

test('a listener without a sign of life is dropped, one that answers is not', () => {
  const { clock, live, made, join } = desk();
  const quiet = new Ear();
  const lively = new Ear();
  join(made(wish()), quiet);
  quiet.answer = undefined;
  join(made(wish({ zone: 'z2' })), lively);
  clock.advance(70_000);
  assert.deepEqual([quiet.end, lively.end], ['dropped', undefined]);
  assert.equal(live.ofZone('z1')?.listening, false);
  assert.ok(lively.pings >= 2);
});

test('a session ends within a second of its maker losing the right to see the zone', () => {
  const { clock, live, made, join } = desk();
  const ear = new Ear();
  let may = true;
  join(made(wish({ mayGoOn: () => may })), ear);
  may = false;
  clock.advance(1_000);
  assert.equal(ear.end, 'closed 1008');
  assert.equal(live.ofZone('z1'), undefined);
});

test('a newer connection takes the session over; what becomes of the older one changes nothing', () => {
  const { live, made, join } = desk();
  const older = new Ear();
  const newer = new Ear();
  const id = made(wish());
  const first = join(id, older);
  join(id, newer);
  assert.equal(older.end, 'closed 4001');
  first.detach();
  live.tapped(tapped(id, numbered(1)));
  assert.equal(newer.heard.length, 1);
});

test('too many tries to connect are refused for the rest of the minute', () => {
  const { clock, live, made } = desk({ connectsPerMinute: 3 });
  const id = made(wish());
  assert.deepEqual(
    [1, 2, 3, 4].map(() => live.admit(id)),
    ['yes', 'yes', 'yes', 429],
  );
  clock.advance(60_000);
  assert.equal(live.admit(id), 'yes');
  assert.equal(live.admit('0'.repeat(32)), 404);
});

test('at the end listeners are told that the server shuts down', () => {
  const { clock, live, made, join } = desk();
  const ear = new Ear();
  join(made(wish()), ear);
  live.close();
  assert.equal(ear.end, 'closed 1001');
  assert.equal(clock.timers(), 0);
});
