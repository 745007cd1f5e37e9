import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../lib/clock.ts';
import { silent } from '../lib/diagnostics.ts';
import { systemRandom } from '../lib/random.ts';
import { Desk } from './desk.ts';
import { Guard } from './guard/guard.ts';
import { State } from './store/state.ts';
import type { Edited } from './desk.ts';
import type { AccountRecord } from './store/records.ts';
import type { StateView } from './store/state.ts';
import type { Change, CommitResult, Contents, Store } from './store/store.ts';

const actor = { who: 'tester', address: null };

/** A store in memory that answers the next commits with what is queued. */
class ScriptedStore implements Store {
  readonly answers: CommitResult[] = [];
  readonly committed: Change[] = [];
  version = 0;
  readable = true;

  contents(): Contents {
    return {
      version: this.version,
      nextJob: 1,
      records: {
        account: [],
        zone: [],
        dataset: [],
        job: [],
        token: [],
        deleted_job: [],
        replay: [],
        erasure: [],
        stage: [],
      },
      secrets: [],
    };
  }
  load() {
    return Promise.resolve(
      this.readable
        ? { kind: 'loaded' as const, contents: this.contents() }
        : { kind: 'unreadable' as const, detail: 'damaged' },
    );
  }
  commit(change: Change): Promise<CommitResult> {
    const scripted = this.answers.shift();
    if (scripted) return Promise.resolve(scripted);
    if (change.base !== this.version) return Promise.resolve({ kind: 'stale' });
    this.committed.push(change);
    this.version++;
    return Promise.resolve({ kind: 'committed', version: this.version });
  }
  changes() {
    return Promise.resolve([]);
  }
  close() {
    return Promise.resolve();
  }
}

function deskOn(
  store: ScriptedStore,
  publish: (state: StateView) => Promise<void> = () => Promise.resolve(),
): Desk {
  const state = new State(store.contents());
  const guard = new Guard(state, {
    clock: systemClock,
    random: systemRandom,
    diagnostics: silent,
  });
  return new Desk({
    guard,
    store,
    state,
    clock: systemClock,
    diagnostics: silent,
    publish,
    publishWaitMs: 5_000,
  });
}

function addAccount(id: string): Edited<string> {
  const after: AccountRecord = {
    id,
    name: id,
    ambientCredentials: false,
    createdMs: 0,
    limits: {},
    cmb: null,
  };
  return { kind: 'draft', edits: [{ kind: 'account', id, before: null, after }], value: id };
}

test('a change that was overtaken is worked out again from the newer state', async () => {
  const store = new ScriptedStore();
  const desk = deskOn(store);
  store.version = 7;
  const seen: number[] = [];
  const changed = await desk.change(actor, 'x', (state) => {
    seen.push(state.version);
    return addAccount('a');
  });
  assert.deepEqual(changed, { kind: 'changed', value: 'a' });
  assert.deepEqual(seen, [0, 7]);
  assert.equal(desk.state.version, 8);
  assert.ok(desk.state.accounts.has('a'));
});

test('a change that is overtaken again and again is a conflict', async () => {
  const store = new ScriptedStore();
  store.answers.push({ kind: 'stale' }, { kind: 'stale' }, { kind: 'stale' });
  const refused = await deskOn(store).change(actor, 'x', () => addAccount('a'));
  assert.ok(refused.kind === 'refused' && refused.code === 'conflict');
});

test('I4: when the store fails or cannot be read back, nothing changes and what runs goes on', async () => {
  const store = new ScriptedStore();
  const desk = deskOn(store);
  store.answers.push({ kind: 'failed', detail: 'disk full' });
  const failed = await desk.change(actor, 'x', () => addAccount('a'));
  assert.ok(failed.kind === 'refused' && failed.code === 'store_unavailable');
  store.answers.push({ kind: 'stale' });
  store.readable = false;
  const unreadable = await desk.change(actor, 'x', () => addAccount('a'));
  assert.ok(unreadable.kind === 'refused' && unreadable.code === 'store_unavailable');
  assert.equal(desk.state.accounts.size, 0);
  store.readable = true;
  assert.equal((await desk.change(actor, 'x', () => addAccount('a'))).kind, 'changed');
});

test('a fault in one change does not stop the next', async () => {
  const desk = deskOn(new ScriptedStore());
  const fault = desk.change(actor, 'x', () => {
    throw new Error('a bug');
  });
  const next = desk.change(actor, 'x', () => addAccount('a'));
  await assert.rejects(fault, /a bug/);
  assert.equal((await next).kind, 'changed');
});

test('many changes during one publication are published once, by the newest state', async () => {
  const published: number[] = [];
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const desk = deskOn(new ScriptedStore(), async (state) => {
    published.push(state.version);
    if (published.length === 1) await gate;
  });
  const changes = ['a', 'b', 'c', 'd'].map((id) => desk.change(actor, 'x', () => addAccount(id)));
  await desk.settled();
  assert.deepEqual(published, [1], 'the second waits for the first');
  release();
  await Promise.all(changes);
  assert.deepEqual(published, [1, 4]);
  await desk.change(actor, 'x', () => addAccount('e'));
  assert.deepEqual(published, [1, 4, 5]);
});
