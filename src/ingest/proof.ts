import { crc32 } from 'node:zlib';

/**
 * Whether a body's bytes are those that its sender's CRC-32 was made of. To be known before anything that the body holds counts;
 * summed once, by whoever sums the bytes anyway or else here.
 */
export class Proof {
  readonly #body: Buffer;
  readonly #crc: number;
  #holds: boolean | undefined;

  /** @param body as it came: before a byte of it is changed {@link look} has to be called */
  constructor(body: Buffer, crc: number) {
    this.#body = body;
    this.#crc = crc;
  }

  /** What the bytes should sum up to. */
  get crc(): number {
    return this.#crc;
  }

  get isKnown(): boolean {
    return this.#holds !== undefined;
  }

  /** @param crc of all of the body's bytes */
  settle(crc: number): void {
    this.#holds = crc === this.#crc;
  }

  readonly look = (): void => {
    if (this.#holds === undefined) this.settle(crc32(this.#body));
  };

  holds(): boolean {
    this.look();
    return this.#holds!;
  }
}
