/**
 * Webhooks: who is told of alerts. Alerts gather for a moment and go out as one message; a message is repeated with back-off
 * until it is taken or given up. What waits is bounded, and written down ({@link file://./mailroom.ts mailroom}): what was
 * not taken before the process ended is sent after its next start.
 */
import { backoffMs } from './backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { exchange } from '../../lib/net/exchange.ts';
import type { ExchangeTools } from '../../lib/net/exchange.ts';
import type { Random } from '../../lib/random.ts';
import type {
  Alert,
  NewWebhook,
  Notice,
  WatchLimits,
  WebhookDesk,
  WebhookForm,
  WebhookView,
} from '../contract.ts';
import { Mailroom } from './mailroom.ts';
import type { MessageStore } from './mailroom.ts';
import { bodyOf, isSecret, signedHeaders } from './message.ts';
import type { Message } from './message.ts';
import type { StoredWebhook, WebhookStore } from './store.ts';

export interface WebhooksDeps {
  readonly store: WebhookStore;
  readonly messages: MessageStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly limits: WatchLimits;
  /** Sends through the guarded dialler: a customer chooses the address. */
  readonly exchange: Omit<ExchangeTools, 'clock'>;
  /** The account that a stream belongs to; undefined when nobody's. */
  readonly accountOf: (stream: string) => string | undefined;
  /** How this server calls itself in messages. */
  readonly server: string;
  /** Whether `http://` is allowed. */
  readonly allowHttp: boolean;
}

interface Hook {
  readonly id: number;
  readonly account: string | null;
  readonly form: WebhookForm;
  readonly url: string;
  readonly secret: string | undefined;
  /** Still growing; undefined: nothing is to be told. */
  gathering: Message | undefined;
  readonly queue: Message[];
  isSending: boolean;
  sent: number;
  givenUp: number;
  last: WebhookView['last'];
}

interface Tried {
  readonly isTaken: boolean;
  readonly status: number | null;
  readonly error: string | null;
}

export class Webhooks implements WebhookDesk {
  readonly #deps: WebhooksDeps;
  readonly #hooks = new Map<number, Hook>();
  readonly #mailroom: Mailroom;
  readonly #stop = new AbortController();
  /** Attempts under way; those that wait for a place, in their order. */
  #sending = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(deps: WebhooksDeps) {
    this.#deps = deps;
    this.#mailroom = new Mailroom(deps.messages, deps.diagnostics);
    for (const stored of deps.store.list()) {
      const hook = this.#add(stored);
      hook.queue.push(...this.#mailroom.waiting(hook.id));
      if (hook.queue.length > 0) void this.#send(hook);
    }
  }

  list(account: string | null): readonly WebhookView[] {
    return [...this.#hooks.values()].filter((hook) => hook.account === account).map(view);
  }

  problem({
    url,
    secret,
  }: NewWebhook): { readonly path: string; readonly message: string } | undefined {
    const wrong = (path: string, message: string) => ({ path, message });
    if (Buffer.byteLength(url) > this.#deps.limits.webhookUrlBytes) {
      return wrong('url', `may have ${this.#deps.limits.webhookUrlBytes} bytes`);
    }
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    const schemes = this.#deps.allowHttp ? ['https:', 'http:'] : ['https:'];
    if (!parsed || !schemes.includes(parsed.protocol)) return wrong('url', 'must be an https URL');
    if (parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') {
      return wrong('url', 'must hold neither a user, nor a password, nor a fragment');
    }
    if (secret !== undefined && !isSecret(secret)) {
      return wrong('secret', 'must be `whsec_` and base64 of 24 to 64 bytes');
    }
    return undefined;
  }

  add(webhook: NewWebhook): WebhookView | 'full' | 'failed' {
    const same = [...this.#hooks.values()].filter(({ account }) => account === webhook.account);
    if (same.length >= this.#deps.limits.webhooks) return 'full';
    try {
      return view(this.#add(this.#deps.store.add(webhook)));
    } catch (error) {
      this.#deps.diagnostics.warn('a webhook could not be written down', { error: String(error) });
      return 'failed';
    }
  }

  /** Whether there was one. */
  remove(account: string | null, id: number): boolean {
    const hook = this.#hooks.get(id);
    if (!hook || hook.account !== account) return false;
    this.#deps.store.remove(id);
    this.#hooks.delete(id);
    for (const message of hook.queue.splice(0)) this.#mailroom.drop(message);
    if (hook.gathering) this.#mailroom.drop(hook.gathering);
    hook.gathering = undefined;
    return true;
  }

  /** Sends one message at once, beside the queue; undefined when there is no such webhook. */
  async test(
    account: string | null,
    id: number,
  ): Promise<{ readonly delivered: boolean; readonly detail: string } | undefined> {
    const hook = this.#hooks.get(id);
    if (!hook || hook.account !== account) return undefined;
    const notice: Notice = { reason: 'test', alert: testAlert(this.#deps.clock.wallMs()) };
    const message = this.#message([notice]);
    const { isTaken, error } = await this.#try(hook, message);
    return { delivered: isTaken, detail: error ?? 'the receiver took it' };
  }

  /** Tells whoever an alert concerns. */
  tell(notice: Notice): void {
    const { limits, clock, accountOf } = this.#deps;
    const { stream } = notice.alert;
    const owner = stream === null ? undefined : accountOf(stream);
    for (const hook of this.#hooks.values()) {
      if (hook.account !== null && hook.account !== owner) continue;
      const { gathering } = hook;
      if (!gathering) clock.after(limits.webhookGatherMs, () => this.#close(hook));
      if (!gathering) hook.gathering = this.#message([notice]);
      else if (gathering.notices.length < limits.webhookAlerts)
        hook.gathering = { ...gathering, notices: [...gathering.notices, notice] };
      else hook.gathering = { ...gathering, more: gathering.more + 1 };
      this.#mailroom.keep(hook.id, hook.gathering!);
    }
  }

  /** Sums over all webhooks, for the metrics. */
  sums(): { readonly sent: number; readonly givenUp: number; readonly queued: number } {
    const sums = { sent: 0, givenUp: 0, queued: 0 };
    for (const hook of this.#hooks.values()) {
      sums.sent += hook.sent;
      sums.givenUp += hook.givenUp;
      sums.queued += hook.queue.length;
    }
    return sums;
  }

  close(): void {
    this.#stop.abort();
    this.#mailroom.close();
  }

  #add({ id, account, form, url, secret }: StoredWebhook): Hook {
    const hook: Hook = {
      id,
      account,
      form,
      url,
      secret,
      gathering: undefined,
      queue: [],
      isSending: false,
      sent: 0,
      givenUp: 0,
      last: null,
    };
    this.#hooks.set(id, hook);
    return hook;
  }

  #message(notices: readonly Notice[]): Message {
    return { id: `msg_${this.#deps.random.bytes(12).toString('hex')}`, notices, more: 0 };
  }

  #close(hook: Hook): void {
    if (!this.#hooks.has(hook.id) || !hook.gathering || this.#stop.signal.aborted) return;
    hook.queue.push(hook.gathering);
    hook.gathering = undefined;
    if (hook.queue.length > this.#deps.limits.webhookQueue) {
      // The oldest that is not under way.
      const [oldest] = hook.queue.splice(hook.isSending ? 1 : 0, 1);
      if (oldest) this.#mailroom.drop(oldest);
      hook.givenUp += 1;
    }
    if (!hook.isSending) void this.#send(hook);
  }

  /** One message after the other, so that nobody reads the end before the beginning. */
  async #send(hook: Hook): Promise<void> {
    const { limits, clock, random, diagnostics } = this.#deps;
    hook.isSending = true;
    for (;;) {
      const message = hook.queue[0];
      if (!message || this.#stop.signal.aborted) break;
      for (let attempt = 1; ; attempt += 1) {
        const { isTaken, status } = await this.#try(hook, message);
        if (isTaken || attempt >= limits.webhookAttempts || !this.#hooks.has(hook.id)) {
          if (isTaken) hook.sent += 1;
          else hook.givenUp += 1;
          if (!isTaken)
            diagnostics.warn('a webhook did not take its message', { webhook: hook.id, status });
          break;
        }
        const bounds = { firstMs: limits.webhookBackoffMs, mostMs: limits.webhookBackoffMsMax };
        await clock.sleep(backoffMs(attempt, bounds, random), this.#stop.signal);
        if (this.#stop.signal.aborted) return;
      }
      this.#mailroom.drop(message);
      if (hook.queue[0] === message) hook.queue.shift();
    }
    hook.isSending = false;
  }

  async #try(hook: Hook, message: Message): Promise<Tried> {
    await this.#place();
    try {
      const tried = await this.#exchange(hook, message);
      hook.last = {
        atMs: Math.floor(this.#deps.clock.wallMs()),
        outcome: tried.isTaken ? 'accepted' : 'failed',
        status: tried.status,
        error: tried.error,
      };
      return tried;
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#sending -= 1;
    }
  }

  async #place(): Promise<void> {
    if (this.#sending >= this.#deps.limits.webhookSends) {
      await new Promise<void>((go) => void this.#waiting.push(go));
    } else this.#sending += 1;
  }

  async #exchange({ url, form, secret }: Hook, message: Message): Promise<Tried> {
    const { clock, exchange: tools, server } = this.#deps;
    const { protocol, hostname, port, pathname, search } = new URL(url);
    const body = bodyOf(message, form, server);
    const answer = await exchange(
      {
        secure: protocol === 'https:',
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path: pathname + search,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'waybill',
          ...signedHeaders(message.id, body, secret, clock.wallMs()),
        },
        body: [body],
      },
      { ...tools, clock },
      this.#stop.signal,
    );
    if (answer.kind === 'failed') return { isTaken: false, status: null, error: answer.reason };
    const { status } = answer;
    const isTaken = status >= 200 && status < 300;
    return { isTaken, status, error: isTaken ? null : `the receiver answered ${status}` };
  }
}

function view(hook: Hook): WebhookView {
  const { id, account, form, secret, sent, givenUp, queue, last } = hook;
  const { protocol, host } = new URL(hook.url);
  const url = `${protocol}//${host}/***`;
  return {
    id,
    account,
    form,
    url,
    isSigned: secret !== undefined,
    sent,
    givenUp,
    queued: queue.length,
    last,
  };
}

function testAlert(nowMs: number): Alert {
  return {
    id: 0,
    kind: 'alarm_logged',
    subject: 'test',
    stream: null,
    job: null,
    text: 'This is what an alert looks like. Nothing is wrong.',
    facts: {},
    severity: 'warning',
    title: 'A test of this webhook',
    advice: 'There is nothing to do.',
    state: 'resolved',
    sinceMs: Math.floor(nowMs),
    resolvedMs: Math.floor(nowMs),
    times: 1,
    toldMs: null,
  };
}
