import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from './turns.ts';
import type { Turn, TurnLimits } from './turns.ts';

const LIMITS: TurnLimits = {
  attempts: 100,
  attemptsPerAccount: 10,
  heldBytes: 1_000,
  heldBytesPerAccount: 400,
  preparations: 1_000,
  preparationsApart: 1_000,
  targetBytes: 100,
};

/** Asks for turns and notes who got one, in order. */
class Asking {
  readonly turns: Turns;
  readonly granted: string[] = [];
  readonly held: Turn[] = [];
  calledOff = 0;

  constructor(limits: Partial<TurnLimits> = {}) {
    this.turns = new Turns({ ...LIMITS, ...limits });
  }

  ask(
    account: string,
    changes: { cost?: number; held?: number; suspect?: boolean; apart?: boolean } = {},
  ): void {
    const { cost = 100, held = 1, suspect = false, apart = false } = changes;
    const request = { account, costBytes: cost, heldBytes: held, suspect, apart };
    void this.turns.request(request).then((turn) => {
      if (!turn) return (this.calledOff += 1);
      this.granted.push(account);
      return this.held.push(turn);
    });
  }

  async end(count = 1): Promise<void> {
    await this.settled();
    for (const turn of this.held.splice(0, count)) turn.release();
    await this.settled();
  }

  async settled(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('Turns', () => {
  it('accounts take turns by bytes, however much one of them asks for (I6)', async () => {
    const asking = new Asking({ preparations: 1 });
    for (let n = 0; n < 6; n += 1) asking.ask('flood');
    asking.ask('small', { cost: 10 });
    asking.ask('other');
    for (let n = 0; n < 8; n += 1) await asking.end();
    assert.deepEqual(asking.granted.slice(0, 4).toSorted(), ['flood', 'flood', 'other', 'small']);
    assert.equal(asking.granted.length, 8);
  });

  it('what another thread prepares leaves places for what is prepared here (I6)', async () => {
    const asking = new Asking({ preparations: 6, preparationsApart: 4 });
    for (let n = 0; n < 3; n += 1) {
      for (let account = 0; account < 4; account += 1) asking.ask(`a${account}`, { apart: true });
    }
    asking.ask('other');
    await asking.settled();
    assert.deepEqual(asking.granted, ['a0', 'a1', 'a2', 'a3', 'other']);
    asking.held[0]!.prepared(1);
    await asking.settled();
    assert.equal(asking.granted.length, 6, 'one that is prepared makes room for the next');
    await asking.end(6);
    assert.equal(asking.granted.length, 10);
    await asking.end(4);
    assert.equal(asking.granted.length, 13);
  });

  it('a turn of half the bytes comes twice as often', async () => {
    const asking = new Asking({ preparations: 1 });
    for (let n = 0; n < 40; n += 1) {
      asking.ask('large', { cost: 100 });
      asking.ask('half', { cost: 50 });
    }
    for (let n = 0; n < 30; n += 1) await asking.end();
    const large = asking.granted.filter((account) => account === 'large').length;
    assert.ok(Math.abs(large - 10) <= 2, `${large} of 30`);
  });

  it('one account never has more under way than its share, and leaves room for others', async () => {
    const asking = new Asking();
    for (let n = 0; n < 50; n += 1) asking.ask('greedy', { held: 60 });
    await asking.settled();
    assert.equal(asking.granted.length, 5, 'a sixth would take more than half of what is free');
    asking.ask('other', { held: 300 });
    await asking.settled();
    assert.equal(asking.granted.at(-1), 'other');
  });

  it('many greedy accounts leave something free for one more', async () => {
    const asking = new Asking();
    for (let account = 0; account < 8; account += 1) {
      for (let n = 0; n < 20; n += 1) asking.ask(`greedy ${account}`, { held: 20 });
    }
    await asking.settled();
    asking.ask('newcomer', { held: 50 });
    await asking.settled();
    assert.equal(asking.granted.at(-1), 'newcomer');
    assert.ok(asking.turns.stats().heldBytes <= LIMITS.heldBytes);
  });

  it('a large batch that does not fit is passed by small ones, and gets room in the end', async () => {
    const asking = new Asking({ heldBytes: 100, heldBytesPerAccount: 100 });
    for (let n = 0; n < 4; n += 1) asking.ask(`early ${n}`, { held: 20 });
    await asking.settled();
    asking.ask('large', { held: 90 });
    asking.ask('late', { held: 5 });
    await asking.settled();
    assert.deepEqual(asking.granted.slice(4), ['late']);
    await asking.end(4);
    assert.deepEqual(asking.granted.slice(4), ['late', 'large']);
  });

  it('a batch larger than the budget goes alone', async () => {
    const asking = new Asking();
    asking.ask('huge', { held: 5_000 });
    await asking.settled();
    assert.deepEqual(asking.granted, ['huge']);
    asking.ask('other');
    await asking.settled();
    assert.equal(asking.granted.length, 1);
    await asking.end();
    assert.deepEqual(asking.granted, ['huge', 'other']);
  });

  it('failing jobs use a quarter at most, and healthy ones go first (I6)', async () => {
    const asking = new Asking({ attempts: 8 });
    for (let n = 0; n < 20; n += 1) asking.ask(`dead ${n}`, { suspect: true });
    await asking.settled();
    assert.equal(asking.granted.length, 2);
    for (let n = 0; n < 6; n += 1) asking.ask(`healthy ${n}`);
    await asking.settled();
    assert.equal(asking.granted.length, 8);
  });

  it('failing jobs of an account leave its healthy ones three quarters of what it may have', async () => {
    const asking = new Asking();
    for (let n = 0; n < 20; n += 1) asking.ask('half broken', { suspect: true });
    await asking.settled();
    assert.equal(asking.granted.length, 3, 'a quarter of ten, rounded up');
    for (let n = 0; n < 20; n += 1) asking.ask('half broken');
    await asking.settled();
    assert.equal(asking.granted.length, 10, 'the rest of the ten');
    // What ends of the failing ones is theirs again, and no more.
    await asking.end(3);
    assert.equal(asking.granted.length, 13);
    await asking.end(10);
    assert.equal(asking.turns.stats().inFlight, 10);
  });

  it('failing jobs of an account hold a quarter of its bytes; one batch they may always have', async () => {
    const asking = new Asking();
    asking.ask('half broken', { suspect: true, held: 150 });
    asking.ask('half broken', { suspect: true, held: 10 });
    asking.ask('half broken', { held: 200 });
    await asking.settled();
    assert.equal(asking.granted.length, 2, 'the large one, and the healthy one');
    assert.equal(asking.turns.stats().heldBytes, 350);
    await asking.end();
    assert.equal(asking.turns.stats().heldBytes, 210, 'then the small one');
  });

  it('counts what is held in truth once a batch is prepared', async () => {
    const asking = new Asking({ preparations: 1 });
    asking.ask('a', { held: 50 });
    asking.ask('b', { held: 50 });
    await asking.settled();
    assert.deepEqual(asking.turns.stats(), {
      inFlight: 1,
      preparing: 1,
      heldBytes: 50,
      queued: 1,
    });
    asking.held[0]!.prepared(70);
    await asking.settled();
    assert.deepEqual(asking.turns.stats(), {
      inFlight: 2,
      preparing: 1,
      heldBytes: 120,
      queued: 0,
    });
    asking.held[0]!.release();
    asking.held[0]!.release();
    asking.held[1]!.release();
    assert.deepEqual(asking.turns.stats(), {
      inFlight: 0,
      preparing: 0,
      heldBytes: 0,
      queued: 0,
    });
  });

  it('calling off answers everybody who waits', async () => {
    const asking = new Asking({ attempts: 1 });
    for (let n = 0; n < 5; n += 1) asking.ask(`a ${n}`);
    await asking.settled();
    asking.turns.callOff();
    await asking.settled();
    assert.equal(asking.calledOff, 4);
  });
});
