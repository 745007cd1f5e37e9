/**
 * Secrets at rest: AES-256-GCM under a key that lies in a file of its own, never in the store.
 *
 * The sealed form is nonce (12 bytes), ciphertext, tag (16 bytes). The secret's id and version are authenticated with it,
 * so that a sealed secret moved to another row, or an older one put back, does not open.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
} from 'node:crypto';
import type { Random } from '../../lib/random.ts';
import type { SealedSecret } from '../store/store.ts';

const ALGORITHM = 'aes-256-gcm';
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealer {
  /** Short name of the key, for messages and beside each sealed secret. Says nothing of the key. */
  readonly keyId: string;
  seal(id: string, version: number, secret: string): SealedSecret;
  /** The secret, or undefined when it was sealed with another key or is damaged. */
  open(sealed: SealedSecret): string | undefined;
  /** A keyed hash, by which something can be recognised without being kept. Hex. */
  mark(text: string): string;
  /** The same under every key that is still known, newest first: for what was marked before a key was replaced. */
  marks(text: string): readonly string[];
}

/** Short name of a key. Says nothing of the key. */
export function keyIdOf(key: Buffer): string {
  return createHash('sha256').update('waybill key id\0').update(key).digest('hex').slice(0, 16);
}

export function sealer(bytes: Buffer, random: Random): Sealer {
  const keyId = keyIdOf(bytes);
  // Key objects: Node looks whether a Buffer is one by catching an error, which costs more than the cipher itself.
  const key = createSecretKey(bytes);
  const markKey = createSecretKey(createHmac('sha256', key).update('waybill mark').digest());
  const mark = (text: string): string => createHmac('sha256', markKey).update(text).digest('hex');
  return {
    keyId,
    seal(id, version, secret) {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(additional(id, version));
      const sealed = Buffer.concat([
        nonce,
        cipher.update(secret, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return { id, version, keyId, sealed: sealed.toString('base64') };
    },
    open({ id, version, keyId: sealedWith, sealed: text }) {
      const sealed = Buffer.from(text, 'base64');
      if (sealedWith !== keyId || sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const tag = sealed.subarray(sealed.length - TAG_BYTES);
      const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(additional(id, version))
        .setAuthTag(tag);
      try {
        const start = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
        return Buffer.concat([start, decipher.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
    mark,
    marks: (text) => [mark(text)],
  };
}

function additional(id: string, version: number): Buffer {
  return Buffer.from(`waybill secret\0${id}\0${version}`);
}
