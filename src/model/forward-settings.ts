/**
 * A forwarder's settings: a YAML file, and flags for what has one value. `listen: { port: 4512 }` in the file is
 * `--listen-port` on the command line. docs/forwarder.md lists them all (a test keeps the page equal to this table).
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import { DATASET_ID, parseStreamKey } from './scope.ts';
import type { StreamKey } from './scope.ts';

const text = (fallback: string, help: string) => z.string().default(fallback).describe(help);
const whole = (fallback: number, least: number, most: number, help: string) =>
  z.int().min(least).max(most).default(fallback).describe(help);
const YEAR_MS = 365 * 86_400_000;
const MIB = 1024 * 1024;

const streamName = z.custom<StreamKey>(
  (value) => typeof value === 'string' && parseStreamKey(value) !== undefined,
  'must be a stream, such as zones/shop/http_requests',
);

/** Files to follow, and whose lines they hold. */
const tailSource = z
  .strictObject({
    /** Paths with `*` and `?` in them; `**` stands for any folders. */
    paths: z.array(z.string().min(1)).min(1),
    exclude: z.array(z.string().min(1)).default([]),
    stream: streamName.optional(),
    /** The field that names each line's zone, with `dataset`. */
    by: z.string().min(1).max(256).optional(),
    dataset: z.string().regex(DATASET_ID).optional(),
    /** Where to begin in a file that is there at the very first start; files that come later are read from their start. */
    from: z.enum(['start', 'end']).default('start'),
  })
  .refine(
    ({ stream, by, dataset }) =>
      (stream === undefined) === (by !== undefined && dataset !== undefined),
    {
      message: 'needs either `stream`, or `by` and `dataset`',
    },
  );

/** What is wrong with a receiver's address. */
function isReceiver(value: string): boolean {
  const url = URL.parse(value);
  return (
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    (url.pathname === '/' || url.pathname === '')
  );
}
const serverUrl = z
  .string()
  .refine(
    isReceiver,
    'must be http://<host>:<port> or https://<host>:<port>, and nothing behind it',
  );

const SCHEMA = z.strictObject({
  data: z
    .strictObject({
      dir: text(
        'waybill-forward',
        'Folder of everything that the forwarder keeps: spool, positions in files, wanted set.',
      ),
    })
    .prefault({}),
  listen: z
    .strictObject({
      host: text(
        '127.0.0.1',
        'Address for producers. Beside them it stays on the loopback interface.',
      ),
      port: whole(4512, 0, 65_535, 'Port for producers. 0 lets the system choose.'),
      socket: text('', 'Unix socket for producers: HTTP with the same paths. Empty: none.'),
      tokenFile: text(
        '',
        'File with tokens, one a row, one of which a producer must send. Empty: none is asked for.',
      ),
    })
    .prefault({}),
  status: z
    .strictObject({
      host: text('127.0.0.1', 'Address of status, metrics and health checks.'),
      port: whole(4513, 0, 65_535, 'Their port. 0 lets the system choose.'),
    })
    .prefault({}),
  receiver: z
    .strictObject({
      urls: z
        .array(serverUrl)
        .min(1, 'needs at least one address, such as https://logs.example:4510')
        .max(16)
        .default([])
        .describe(
          'Ingest addresses of the servers that lines go to, in the order in which they are tried.',
        ),
      token: text('', 'Ingest token of this forwarder. Better in `tokenFile` or in WAYBILL_TOKEN.'),
      tokenFile: text('', 'File with the ingest token. Read again when it changes.'),
      caFile: text('', 'PEM file with authorities to trust besides the usual ones.'),
    })
    .prefault({}),
  wanted: z
    .strictObject({
      url: z
        .union([z.literal(''), serverUrl])
        .default('')
        .describe('Control address of the server that says which streams are wanted. Needed.'),
      waitMs: whole(30_000, 0, 300_000, 'How long one question waits for news.'),
    })
    .prefault({}),
  tail: z.array(tailSource).max(1_000).default([]).describe('Files to follow; see below.'),
  buffer: z
    .strictObject({
      spoolBytes: whole(
        4096 * MIB,
        256 * MIB,
        Number.MAX_SAFE_INTEGER,
        'Disk that the spool may take, in bytes. Beyond it producers are refused.',
      ),
      segmentBytes: whole(32 * MIB, MIB, 1024 * MIB, 'Size of one segment of the spool, in bytes.'),
      holdbackMs: whole(
        3_600_000,
        0,
        YEAR_MS,
        'How long lines stay after they were sent, where there is room.',
      ),
      retentionMs: whole(
        limits.buffer.retentionMs,
        60_000,
        YEAR_MS,
        'How long waiting lines are kept at most. Counts time in service.',
      ),
    })
    .prefault({}),
  deliver: z
    .strictObject({
      intervalMs: whole(
        1_000,
        limits.deliver.intervalMsMin,
        300_000,
        'How long a batch waits for more lines after its first.',
      ),
    })
    .prefault({}),
  process: z
    .strictObject({
      drainMs: whole(20_000, 0, YEAR_MS, 'How long SIGTERM waits for what is under way.'),
      logLevel: z
        .enum(['debug', 'info', 'warn', 'error', 'alarm'])
        .default('info')
        .describe("Least level of the process's own log on standard error."),
    })
    .prefault({}),
});

export type ForwardConfig = z.infer<typeof SCHEMA>;
export type TailSource = ForwardConfig['tail'][number];

/** What is wrong with a setting: where, and what would be right. Never quotes a value: it may be a secret. */
export interface SettingProblem {
  readonly where: string;
  readonly message: string;
}

/** A setting with one value (or a list of texts), as the command line and the documentation name it. */
export interface ForwardSetting {
  readonly section: string;
  readonly key: string;
  /** Without dashes in front: `listen-port`. */
  readonly flag: string;
  readonly kind: 'text' | 'whole' | 'list';
  readonly fallback: string;
  readonly help: string;
}

const words = (camel: string) => camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** All settings but `tail`, in the order of the table. */
export const FORWARD_SETTINGS: readonly ForwardSetting[] = Object.entries(SCHEMA.shape).flatMap(
  ([section, outer]) => {
    if (section === 'tail') return [];
    const { properties = {} } = z.toJSONSchema(outer, { io: 'input', unrepresentable: 'any' });
    return Object.entries(properties).map(([key, property]) => {
      const { type, description, default: fallback } = property as Record<string, unknown>;
      return {
        section,
        key,
        flag: `${section}-${words(key)}`,
        kind: type === 'integer' ? 'whole' : type === 'array' ? 'list' : 'text',
        fallback: Array.isArray(fallback) ? fallback.join(',') : String(fallback),
        help: String(description),
      } as const;
    });
  },
);

/**
 * Puts file and flags together, or says everything that is wrong at once.
 *
 * @param document the parsed YAML; undefined: there is no file
 * @param flags by name without dashes in front
 */
export function readForwardConfig(
  document: unknown,
  flags: Readonly<Record<string, string | undefined>>,
): ForwardConfig | readonly SettingProblem[] {
  const given = document ?? {};
  if (typeof given !== 'object' || Array.isArray(given))
    return [{ where: 'the file', message: 'must hold sections, such as `listen: { port: 4512 }`' }];
  const merged: Record<string, unknown> = { ...given };
  for (const { section, key, flag, kind } of FORWARD_SETTINGS) {
    const value = flags[flag];
    if (value === undefined) continue;
    merged[section] = { ...(merged[section] as object | undefined), [key]: valueOf(kind, value) };
  }
  const read = SCHEMA.safeParse(merged);
  if (!read.success) {
    return read.error.issues.map(({ path, message }) => ({
      where: path.join('.') || 'the file',
      message,
    }));
  }
  const problems = crossChecks(read.data);
  return problems.length > 0 ? problems : read.data;
}

function valueOf(kind: ForwardSetting['kind'], value: string): unknown {
  if (kind === 'list') return value.split(',').map((each) => each.trim());
  if (kind === 'whole') return /^\d{1,16}$/.test(value) ? Number(value) : value;
  return value;
}

function crossChecks({ receiver, wanted }: ForwardConfig): SettingProblem[] {
  const problems: SettingProblem[] = [];
  if (receiver.urls.length === 0)
    problems.push({
      where: 'receiver.urls',
      message: 'needs at least one address, such as https://logs.example:4510',
    });
  if (receiver.token !== '' && receiver.tokenFile !== '')
    problems.push({
      where: 'receiver.token',
      message: 'and receiver.tokenFile exclude each other',
    });
  if (wanted.url === '')
    problems.push({
      where: 'wanted.url',
      message: 'is needed: the control address of the server, such as https://logs.example:4511',
    });
  return problems;
}
