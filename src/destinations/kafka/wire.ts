/**
 * The primitive types of Kafka's protocol (https://kafka.apache.org/protocol#protocol_types), big endian. Reading is bounded by
 * what came: a broker that lies about a length gets an error, never memory.
 */

/** What a broker sent is not what the protocol says. */
export class WireError extends Error {
  override readonly name = 'WireError';

  constructor() {
    super('the broker’s answer is not as the protocol says');
  }
}

/** Puts a request together. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#put(1, (part) => part.writeInt8(value));
  }

  int16(value: number): this {
    return this.#put(2, (part) => part.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.#put(4, (part) => part.writeInt32BE(value));
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  /** STRING or NULLABLE_STRING. */
  string(value: string | undefined): this {
    if (value === undefined) return this.int16(-1);
    const bytes = Buffer.from(value);
    this.int16(bytes.length);
    this.#parts.push(bytes);
    return this;
  }

  /** BYTES or RECORDS, given in parts so that nothing needs copying. */
  bytes(...parts: readonly Buffer[]): this {
    this.int32(parts.reduce((sum, part) => sum + part.length, 0));
    this.#parts.push(...parts);
    return this;
  }

  array<Item>(items: readonly Item[], put: (item: Item) => void): this {
    this.int32(items.length);
    for (const item of items) put(item);
    return this;
  }

  finish(): readonly Buffer[] {
    return this.#parts;
  }

  #put(bytes: number, write: (part: Buffer) => void): this {
    const part = Buffer.allocUnsafe(bytes);
    write(part);
    this.#parts.push(part);
    return this;
  }
}

/** Reads an answer. Every method throws {@link WireError} where the bytes do not hold what is asked for. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#step(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#step(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#step(8));
  }

  string(): string | undefined {
    const length = this.int16();
    if (length === -1) return undefined;
    const at = this.#step(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  bytes(): Buffer | undefined {
    const length = this.int32();
    if (length === -1) return undefined;
    const at = this.#step(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** @param most more items than this are not believed */
  array<Item>(most: number, read: () => Item): Item[] {
    const length = this.int32();
    if (length < -1 || length > most) throw new WireError();
    const items: Item[] = [];
    for (let index = 0; index < length; index++) items.push(read());
    return items;
  }

  #step(bytes: number): number {
    const at = this.#at;
    if (bytes < 0 || at + bytes > this.#bytes.length) throw new WireError();
    this.#at += bytes;
    return at;
  }
}
