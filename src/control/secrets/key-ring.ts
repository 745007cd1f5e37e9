/** Several keys as one sealer: the first seals, all open. Its keys can be replaced while others hold on to it. */
import type { Random } from '../../lib/random.ts';
import { assert } from '../../lib/assert.ts';
import type { SealedSecret } from '../store/store.ts';
import { sealer } from './sealing.ts';
import type { Sealer } from './sealing.ts';

export class KeyRing implements Sealer {
  readonly #random: Random;
  #sealers: readonly Sealer[] = [];

  /** @param keys newest first, at least one */
  constructor(keys: readonly Buffer[], random: Random) {
    this.#random = random;
    this.use(keys);
  }

  /** From now on these, newest first. */
  use(keys: readonly Buffer[]): void {
    assert(keys.length > 0, 'a ring has a key');
    this.#sealers = keys.map((key) => sealer(key, this.#random));
  }

  get keyId(): string {
    return this.#newest.keyId;
  }

  /** Names of all keys, newest first. */
  get keyIds(): readonly string[] {
    return this.#sealers.map(({ keyId }) => keyId);
  }

  get #newest(): Sealer {
    const [newest] = this.#sealers;
    assert(newest, 'a ring has a key');
    return newest;
  }

  seal(id: string, version: number, secret: string): SealedSecret {
    return this.#newest.seal(id, version, secret);
  }

  open(sealed: SealedSecret): string | undefined {
    return this.#sealers.find(({ keyId }) => keyId === sealed.keyId)?.open(sealed);
  }

  /** The secret sealed with the newest key; itself when it is already, or when it cannot be opened. */
  reseal(sealed: SealedSecret): SealedSecret {
    if (sealed.keyId === this.keyId) return sealed;
    const secret = this.open(sealed);
    return secret === undefined ? sealed : this.seal(sealed.id, sealed.version, secret);
  }

  mark(text: string): string {
    return this.#newest.mark(text);
  }

  marks(text: string): readonly string[] {
    return this.#sealers.flatMap((one) => one.marks(text));
  }
}
