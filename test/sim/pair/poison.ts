/**
 * Memory that goes back to be used again is written over at once: whoever still looks at it then is found out by what he reads, and
 * not only when the next body comes to lie there.
 */
import { BodyPool } from '../../../src/ingest/body-pool.ts';

const POISON = 0xee;

/** Every pool of this process from now on. */
export function poisonPools(): void {
  const pool = BodyPool.prototype;
  const give = Object.getOwnPropertyDescriptor(pool, 'give')!.value as BodyPool['give'];
  const regain = Object.getOwnPropertyDescriptor(pool, 'regain')!.value as BodyPool['regain'];
  Object.assign(pool, {
    give(this: BodyPool, body: Buffer): boolean {
      const isOurs = give.call(this, body);
      if (isOurs) poison(body.buffer);
      return isOurs;
    },
    regain(this: BodyPool, memory: ArrayBuffer): void {
      poison(memory);
      regain.call(this, memory);
    },
  });
}

function poison(memory: ArrayBufferLike): void {
  if (memory.byteLength > 0) new Uint8Array(memory).fill(POISON);
}
