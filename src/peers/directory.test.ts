import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory, Owners } from './directory.ts';

test('new streams go where there are fewest, those that a log holds stay where they are, and nobody is asked twice', () => {
  const directory = new Directory(2);
  assert.equal(directory.found(0, ['a', 'b', 'c']), undefined);
  assert.equal(directory.found(1, ['d']), undefined);
  directory.assign(['a', 'd', 'e', 'f', 'g', 'e']);
  const owners = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => directory.ownerOf(name));
  assert.deepEqual(owners, [0, 0, 0, 1, 1, 1, 0]);
  assert.equal(directory.ownerOf('z'), undefined);
});

test('a thread that starts again finds its streams, with those that it was given and had not written yet', () => {
  const directory = new Directory(2);
  directory.found(0, ['a']);
  directory.found(1, ['b']);
  directory.assign(['c']);
  assert.equal(directory.found(0, ['a']), undefined);
  assert.equal(directory.ownerOf('c'), 0);
  assert.equal(directory.found(1, ['b', 'a']), 'a', 'a stream in two logs is told');
});

test('what a thread has not been told yet is what has become known since', () => {
  const directory = new Directory(2);
  directory.assign(['a', 'b']);
  const owners = new Owners(1, 2);
  owners.learn(directory.since(0));
  const told = directory.size;
  directory.assign(['c', 'd']);
  assert.deepEqual(directory.since(told), [
    ['c', 0],
    ['d', 1],
  ]);
  owners.learn(directory.since(told));
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((name) => [owners.isOwn(name), owners.foreignOwner(name)]),
    [
      [false, 0],
      [true, undefined],
      [false, 0],
      [true, undefined],
    ],
  );
  assert.throws(() => owners.foreignOwner('never told'), /has an owner/);
});

test('a shard that is alone owns every stream', () => {
  const owners = new Owners(0, 1);
  assert.deepEqual([owners.isOwn('x'), owners.foreignOwner('x')], [true, undefined]);
});
