/** A connection that is ready for requests: versions agreed on, logged in. */
import type { DialTarget } from '../../lib/net/dialler.ts';
import { systemRandom } from '../../lib/random.ts';
import { refusalOf } from './answers.ts';
import { BrokerSocket } from './broker-socket.ts';
import type { BrokerFailure, BrokerTools } from './broker-socket.ts';
import {
  APIS,
  readApiVersions,
  readAuthenticated,
  readHandshake,
  saslAuthenticateRequest,
  saslHandshakeRequest,
} from './requests.ts';
import type { Api, VersionRange } from './requests.ts';
import { ScramLogin } from './scram.ts';
import type { KafkaLogin } from './settings.ts';
import { WireError } from './wire.ts';
import type { WireReader } from './wire.ts';

/** A log-in is renewed, by another connection, when this share of its life is over. */
const LIFE_SHARE = 0.8;
const NONCE_BYTES = 18;
const UNSUPPORTED_VERSION = 35;
const ILLEGAL_SASL_STATE = 34;

export type Asked<Value> = { readonly kind: 'read'; readonly value: Value } | BrokerFailure;

const failed = (reason: string): BrokerFailure => ({ kind: 'failed', reason, isStale: false });

export class Connection {
  readonly #socket: BrokerSocket;
  readonly #ranges: ReadonlyMap<number, VersionRange>;
  readonly #tools: BrokerTools;
  #endsAtMs = Number.POSITIVE_INFINITY;

  private constructor(socket: BrokerSocket, ranges: readonly VersionRange[], tools: BrokerTools) {
    this.#socket = socket;
    this.#ranges = new Map(ranges.map((range) => [range.key, range]));
    this.#tools = tools;
  }

  static async open(
    target: DialTarget,
    login: KafkaLogin | undefined,
    tools: BrokerTools,
  ): Promise<Connection | BrokerFailure> {
    const socket = await BrokerSocket.open(target, tools);
    if ('kind' in socket) return socket;
    const versions = await ask(socket, APIS.apiVersions, 0, [], readApiVersions);
    if (versions.kind === 'failed') return abandon(socket, versions);
    const { code, ranges } = versions.value;
    if (code !== 0) {
      const words = code === UNSUPPORTED_VERSION ? 'the broker is too old' : refusalOf(code).reason;
      return abandon(socket, failed(words));
    }
    const connection = new Connection(socket, ranges, tools);
    const refused = login === undefined ? undefined : await connection.#logIn(login);
    return refused === undefined ? connection : abandon(socket, refused);
  }

  get isUsable(): boolean {
    return this.#socket.isOpen && this.#tools.clock.monotonicMs() < this.#endsAtMs;
  }

  /** Whether nothing is under way on it. */
  get isIdle(): boolean {
    return this.#socket.isIdle;
  }

  /** Our best version that the broker knows, or undefined. */
  versionOf(api: Api): number | undefined {
    const range = this.#ranges.get(api.key);
    if (range === undefined) return undefined;
    return api.versions.find((version) => version >= range.least && version <= range.most);
  }

  /** @param read throws {@link WireError} when the answer is not as the protocol says */
  ask<Value>(
    api: Api,
    body: readonly Buffer[],
    read: (answer: WireReader, version: number) => Value,
  ): Promise<Asked<Value>> {
    const version = this.versionOf(api);
    if (version === undefined) return Promise.resolve(failed('the broker is too old or too new'));
    return ask(this.#socket, api, version, body, read);
  }

  destroy(reason: string): void {
    this.#socket.destroy(reason);
  }

  async #logIn(login: KafkaLogin): Promise<BrokerFailure | undefined> {
    const shake = await this.ask(
      APIS.saslHandshake,
      saslHandshakeRequest(login.mechanism),
      readHandshake,
    );
    if (shake.kind === 'failed') return shake;
    if (shake.value.code === ILLEGAL_SASL_STATE) return failed('this listener takes no log-in');
    if (shake.value.code !== 0) return failed(refusalOf(shake.value.code).reason);
    return login.mechanism === 'PLAIN' ? await this.#plain(login) : await this.#scram(login);
  }

  async #plain({ user, password }: KafkaLogin): Promise<BrokerFailure | undefined> {
    const answer = await this.#say(Buffer.from(`\0${user}\0${password}`));
    return Buffer.isBuffer(answer) ? undefined : answer;
  }

  async #scram({ mechanism, user, password }: KafkaLogin): Promise<BrokerFailure | undefined> {
    const nonce = systemRandom.bytes(NONCE_BYTES).toString('base64');
    const hash = mechanism === 'SCRAM-SHA-512' ? 'sha512' : 'sha256';
    const scram = new ScramLogin(hash, user, password, nonce);
    const challenge = await this.#say(scram.first());
    if (!Buffer.isBuffer(challenge)) return challenge;
    const proof = await scram.final(challenge);
    if (proof === undefined) return failed('the broker’s part of the log-in cannot be right');
    const end = await this.#say(proof);
    if (!Buffer.isBuffer(end)) return end;
    return scram.isProven(end) ? undefined : failed('the broker does not know the password itself');
  }

  async #say(message: Buffer): Promise<Buffer | BrokerFailure> {
    const body = saslAuthenticateRequest(message);
    const said = await this.ask(APIS.saslAuthenticate, body, readAuthenticated);
    if (said.kind === 'failed') return said;
    const { code, message: answer, lifeMs } = said.value;
    if (code !== 0) return failed(refusalOf(code).reason);
    if (lifeMs > 0) this.#endsAtMs = this.#tools.clock.monotonicMs() + lifeMs * LIFE_SHARE;
    return answer;
  }
}

function abandon(socket: BrokerSocket, failure: BrokerFailure): BrokerFailure {
  socket.destroy(failure.reason);
  return failure;
}

async function ask<Value>(
  socket: BrokerSocket,
  api: Api,
  version: number,
  body: readonly Buffer[],
  read: (answer: WireReader, version: number) => Value,
): Promise<Asked<Value>> {
  const answer = await socket.request(api, version, body);
  if (answer.kind === 'failed') return answer;
  try {
    return { kind: 'read', value: read(answer.reader, version) };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    socket.destroy(error.message);
    return failed(error.message);
  }
}
