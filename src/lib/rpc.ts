/** Calls between threads over a message port: one request, one answer, in any order; and notices without an answer. */
import { MessagePort } from 'node:worker_threads';
import type { Worker } from 'node:worker_threads';

/** The methods of one side; arguments and results must be cloneable (no functions, no class instances). */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** What the other side sees of them: the same methods, each answering later. */
export type Remote<M extends Methods> = {
  readonly [Name in keyof M]: (
    ...args: Parameters<M[Name]>
  ) => Promise<Awaited<ReturnType<M[Name]>>>;
};

/** The other thread is gone or did not take the call; nothing is known of its effect. */
export class RemoteGone extends Error {
  override readonly name = 'RemoteGone';
}

type Message =
  | { readonly call: number; readonly name: string; readonly args: readonly unknown[] }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly fault: string }
  | { readonly notice: string; readonly args: readonly unknown[] };

export interface Connection<Theirs extends Methods> {
  readonly remote: Remote<Theirs>;
  /** Calls a method of the other side without waiting for an answer. Ports among the arguments move to the other thread. */
  notify<Name extends keyof Theirs & string>(name: Name, ...args: Parameters<Theirs[Name]>): void;
  /** Fails every call under way and all later ones. */
  close(reason: string): void;
}

/**
 * Joins two threads.
 *
 * @param ours what the other side may call; a method that throws is a bug and reaches the caller as an Error with its text
 */
export function connect<Ours extends Methods, Theirs extends Methods>(
  port: MessagePort | Worker,
  ours: Ours,
): Connection<Theirs> {
  const underWay = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  let last = 0;
  let closed: string | undefined;

  const invoke = (name: string, args: readonly unknown[]) => {
    const method = Object.hasOwn(ours, name) ? ours[name] : undefined;
    if (!method) throw new Error(`no method ${name}`);
    return (method as (...given: unknown[]) => unknown)(...args);
  };
  const answer = async (message: { call: number; name: string; args: readonly unknown[] }) => {
    try {
      port.postMessage({ answer: message.call, value: await invoke(message.name, message.args) });
    } catch (error) {
      port.postMessage({
        answer: message.call,
        fault: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  };
  port.on('message', (message: Message) => {
    if ('call' in message) void answer(message);
    else if ('notice' in message) invoke(message.notice, message.args);
    else {
      const waiting = underWay.get(message.answer);
      underWay.delete(message.answer);
      if ('fault' in message) waiting?.reject(new Error(message.fault));
      else waiting?.resolve(message.value);
    }
  });

  const remote = new Proxy({} as Remote<Theirs>, {
    get: (_target, name) =>
      typeof name !== 'string' || name === 'then'
        ? undefined
        : (...args: readonly unknown[]) =>
            new Promise((resolve, reject) => {
              if (closed !== undefined) return reject(new RemoteGone(closed));
              const call = ++last;
              underWay.set(call, { resolve, reject });
              port.postMessage({ call, name, args });
            }),
  });
  return {
    remote,
    notify(name, ...args) {
      if (closed !== undefined) return;
      const ports = (args as readonly unknown[]).filter((each) => each instanceof MessagePort);
      port.postMessage({ notice: name, args }, ports);
    },
    close(reason) {
      closed = reason;
      for (const { reject } of underWay.values()) reject(new RemoteGone(reason));
      underWay.clear();
    },
  };
}
