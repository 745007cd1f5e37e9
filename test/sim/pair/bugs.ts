/** Bugs of the hand-over that a suite worth its name must find, each planted in a seam between two shards. */
import type { HandedResult } from '../../../src/peers/index.ts';
import { BUGS } from '../bugs.ts';
import type { PairSeams } from './inside.ts';

export const PAIR_BUGS: Readonly<Record<string, PairSeams>> = {
  'answered before its owner has stored it': {
    store: (store, buffer) => (request, via) => {
      void store(request, via);
      const stream = buffer().stream(request.stream);
      const from = stream?.head ?? 0;
      const range = { from, to: from + request.lines.ends.length };
      const epoch = stream?.epoch ?? '';
      return Promise.resolve({ kind: 'stored', epoch, range, repeat: false });
    },
  },
  'a shard that does not answer counts as one that has stored it': {
    foreign: (append) => async (owner, handed) => {
      const size = handed.lines.ends.length;
      const result = await append(owner, handed);
      if (result.kind !== 'refused' || result.reason !== 'shard_down') return result;
      return { kind: 'stored', epoch: '', range: { from: 0, to: size }, repeat: false };
    },
  },
  'who sent it is lost on the way to its owner': {
    foreign:
      (append) =>
      (owner, { identity: _, ...handed }) =>
        append(owner, handed),
  },
  'memory is used again while its owner still looks at it': {
    store: (store) => (request, via) => {
      const stored = store(request, via);
      const { bytes } = request.lines;
      setImmediate(() => bytes.fill('x', 1, bytes.length - 2));
      return stored;
    },
  },
  'lines are stored before the cursor that keeps them': {
    store: (_, buffer) => (request) => buffer().append(request),
  },
  'each part of a body is told what became of the first': {
    foreign: (append) => {
      let first: Promise<HandedResult> | undefined;
      return (owner, handed) => {
        const mine = append(owner, handed);
        if (first) return first;
        first = mine;
        queueMicrotask(() => (first = undefined));
        return mine;
      };
    },
  },
  'one of two disks says that it has synced': {
    shard: (shard) => (shard === 1 ? BUGS['answer before sync']! : {}),
  },
};
