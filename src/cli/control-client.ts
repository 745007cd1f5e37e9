/** What went wrong with a call, in the words and with the exit code that the command ends with. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly exitCode: number;
  /** What the server said, when it refused. */
  readonly said: Said | undefined;

  constructor(message: string, exitCode: number, said?: Said) {
    super(message);
    this.exitCode = exitCode;
    this.said = said;
  }
}

/** A refusal as `/v1` answers it. */
export interface Said {
  readonly code: string;
  readonly message: string;
  readonly path?: string;
  readonly guard?: GuardView;
}

/** What a change would do that the guard refuses. */
export interface GuardView {
  readonly streams: number;
  readonly streamsEnded: number;
  readonly examples: readonly string[];
  readonly streamsStarted: number;
  readonly jobsChanged: number;
  readonly accounts: number;
  readonly linesPerHour: number;
  readonly streamsUnknown: number;
  readonly token?: string | null;
}

/** Exit codes of every command; `docs/reference/cli.md` lists them. */
export const EXIT = { ok: 0, problem: 1, misuse: 2, unreachable: 3, refused: 4 } as const;

export interface ControlClient {
  get<T>(path: string): Promise<T>;
  /** All items of a paged list: `{<name>: […], next}` over as many pages as there are. */
  list<T>(path: string, name: string): Promise<readonly T[]>;
  send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T>;
}

/** How long a call is waited for; a document of 10,000 jobs is worked out for many seconds. */
const CALL_MS = 30_000;
const DOCUMENT_MS = 180_000;
const isDocument = (path: string): boolean => path === '/v1/plan' || path === '/v1/apply';

interface Envelope {
  readonly success?: boolean;
  readonly result?: unknown;
  readonly errors?:
    | readonly { readonly code: number; readonly message: string; readonly guard?: GuardView }[]
    | null;
  readonly error?: Said;
}

/**
 * The control API over HTTP. `/client/v4` answers are taken out of their envelope.
 *
 * @param token undefined: calls fail with a hint how to give one
 * @param headers of every call that changes something
 */
export function controlClient(
  base: string,
  token: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): ControlClient {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    let response: Response;
    try {
      response = await fetch(new URL(path, base), {
        method,
        headers: {
          ...(method === 'GET' ? {} : headers),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(isDocument(path) ? DOCUMENT_MS : CALL_MS),
      });
    } catch (error) {
      throw new CallFailed(
        `no answer from ${base}: ${reasonOf(error)}. Is \`waybill serve\` running? Another address goes with --url.`,
        EXIT.unreachable,
      );
    }
    const text = await response.text();
    const answer = parse(text);
    if (!response.ok) throw refusal(response.status, answer, token);
    if (isEnvelope(answer)) return answer.result;
    return answer ?? text;
  };
  const list = async <T>(path: string, name: string): Promise<readonly T[]> => {
    const items: T[] = [];
    let after: string | null = null;
    do {
      const query: string =
        after === null ? '' : `${path.includes('?') ? '&' : '?'}after=${encodeURIComponent(after)}`;
      const page = (await call('GET', `${path}${query}`)) as Record<string, unknown>;
      items.push(...((page[name] as readonly T[] | undefined) ?? []));
      after =
        typeof page['next'] === 'string' || typeof page['next'] === 'number'
          ? String(page['next'])
          : null;
    } while (after !== null);
    return items;
  };
  return {
    get: <T>(path: string) => call('GET', path) as Promise<T>,
    list,
    send: <T>(method: string, path: string, body?: unknown) =>
      call(method, path, body) as Promise<T>,
  };
}

function refusal(status: number, answer: unknown, token: string | undefined): CallFailed {
  const { error, errors } = (answer ?? {}) as Envelope;
  const said = error
    ? `${error.message}${error.path ? ` (at ${error.path})` : ''} [${error.code}]`
    : errors && errors.length > 0
      ? errors.map((each) => `${each.message} [${each.code}]`).join('; ')
      : `the server answered ${status}`;
  const hint =
    status === 401 && token === undefined
      ? ' Give a token with --token, --token-file or WAYBILL_TOKEN; the first start wrote one to operator.token in the data folder.'
      : '';
  const guard = error?.guard ?? errors?.find((each) => each.guard)?.guard;
  const stakes = guard ? `\n${guardText(guard)}` : '';
  return new CallFailed(`${said}${hint}${stakes}`, EXIT.refused, error);
}

/** The blast radius for people, and how to insist. */
export function guardText(guard: GuardView): string {
  const number = (value: number) => value.toLocaleString('en-US');
  const unknown =
    guard.streamsUnknown > 0 ? `, not known of ${number(guard.streamsUnknown)} of the streams` : '';
  const lines = [
    `  streams that end     ${number(guard.streamsEnded)} of ${number(guard.streams)}${guard.examples.length > 0 ? ` (${guard.examples.join(', ')}${guard.streamsEnded > guard.examples.length ? ', …' : ''})` : ''}`,
    `  their lines an hour  ${number(guard.linesPerHour)} when busy${unknown}`,
    `  streams that start   ${number(guard.streamsStarted)}`,
    `  jobs changed         ${number(guard.jobsChanged)}`,
    `  accounts touched     ${number(guard.accounts)}`,
  ];
  if (guard.token)
    lines.push(`To insist, repeat the command with: --insist ${guard.token} --reason "why"`);
  return lines.join('\n');
}

const isEnvelope = (answer: unknown): answer is { success: true; result: unknown } =>
  typeof answer === 'object' && answer !== null && 'success' in answer && 'result' in answer;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
