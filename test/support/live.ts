/** Listeners of Instant Logs, for tests: a WebSocket client that keeps what it hears. */

/** A record as a test looks at it. */
export type LiveRecord = Readonly<Record<string, unknown>> & { readonly sampleInterval: number };

export interface Listener {
  readonly records: LiveRecord[];
  readonly socket: WebSocket;
  /** Resolves with the close code and reason. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Connects, and resolves once the connection stands. */
export async function listenTo(url: string): Promise<Listener> {
  const socket = new WebSocket(url);
  const records: LiveRecord[] = [];
  socket.addEventListener('message', ({ data }) => {
    for (const line of String(data).trimEnd().split('\n')) {
      records.push(JSON.parse(line) as LiveRecord);
    }
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason })),
  );
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error(`no WebSocket at ${url}`)));
  });
  return { records, socket, closed };
}

/** Waits until something holds; the test's own time limit ends it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** For how many lines the records stand. */
export const weightOf = (records: readonly LiveRecord[]): number =>
  records.reduce((sum, { sampleInterval }) => sum + sampleInterval, 0);
