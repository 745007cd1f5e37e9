/** SCRAM (RFC 5802, RFC 7677) as Kafka speaks it: the password proves itself without being sent, and so does the broker. */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

export type ScramHash = 'sha256' | 'sha512';

/** A broker asks for so many rounds; more would only cost us time. Kafka's own limits are 4,096 and 16,384. */
const ROUNDS = { least: 4_096, most: 65_536 };
const BYTES: Readonly<Record<ScramHash, number>> = { sha256: 32, sha512: 64 };
/** No channel binding: `n,,` in base64. */
const NO_BINDING = 'biws';

const derive = promisify(pbkdf2);

/** One log-in. The messages are those that the mechanism's two rounds send. */
export class ScramLogin {
  readonly #hash: ScramHash;
  readonly #password: string;
  readonly #nonce: string;
  readonly #firstBare: string;
  #serverSignature: Buffer = Buffer.alloc(0);

  /** @param nonce never used before, of printable ASCII without a comma */
  constructor(hash: ScramHash, user: string, password: string, nonce: string) {
    this.#hash = hash;
    this.#password = password;
    this.#nonce = nonce;
    this.#firstBare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#firstBare}`);
  }

  /** @returns undefined when what the broker said cannot be right */
  async final(challenge: Buffer): Promise<Buffer | undefined> {
    const text = challenge.toString('utf8');
    const parts = attributes(text);
    const nonce = parts.get('r') ?? '';
    const salt = Buffer.from(parts.get('s') ?? '', 'base64');
    const rounds = Number(parts.get('i'));
    const isSane =
      nonce.startsWith(this.#nonce) &&
      nonce.length > this.#nonce.length &&
      salt.length > 0 &&
      rounds >= ROUNDS.least &&
      rounds <= ROUNDS.most;
    if (!isSane) return undefined;
    const salted = await derive(this.#password, salt, rounds, BYTES[this.#hash], this.#hash);
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const bare = `c=${NO_BINDING},r=${nonce}`;
    const message = `${this.#firstBare},${text},${bare}`;
    const signature = this.#hmac(storedKey, message);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), message);
    return Buffer.from(`${bare},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** Whether the broker has shown that it knows the password too. */
  isProven(answer: Buffer): boolean {
    const given = Buffer.from(attributes(answer.toString('utf8')).get('v') ?? '', 'base64');
    return (
      this.#serverSignature.length > 0 &&
      given.length === this.#serverSignature.length &&
      timingSafeEqual(given, this.#serverSignature)
    );
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest();
  }
}

function attributes(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));
}
