/**
 * The server's settings: one table from which the YAML file, the flags, the environment variables, `--print-config` and
 * `docs/reference/configuration.md` are made (a test keeps the page equal to the table).
 *
 * A setting `ingest.tlsCert` is `ingest: { tlsCert: … }` in the file, `--ingest-tls-cert` on the command line and
 * `WAYBILL_INGEST_TLS_CERT` in the environment. A flag wins over the environment, which wins over the file.
 */
import { limits } from './limits.ts';

type Kind =
  | { readonly kind: 'text'; readonly default: string }
  | {
      readonly kind: 'whole';
      readonly default: number;
      readonly least: number;
      readonly most: number;
    }
  | {
      readonly kind: 'share';
      readonly default: number;
      readonly least: number;
      readonly most: number;
    }
  | { readonly kind: 'switch'; readonly default: boolean }
  | { readonly kind: 'choice'; readonly default: string; readonly among: readonly string[] }
  | { readonly kind: 'list'; readonly default: readonly string[] };

export type Setting = Kind & { readonly help: string; readonly secret?: true };

const port = (fallback: number, help: string) =>
  ({ kind: 'whole', default: fallback, least: 0, most: 65_535, help }) as const;
const text = (fallback: string, help: string) =>
  ({ kind: 'text', default: fallback, help }) as const;
const ms = (fallback: number, least: number, help: string) =>
  ({ kind: 'whole', default: fallback, least, most: 365 * 86_400_000, help }) as const;

export const SETTINGS = {
  data: {
    dir: text(
      'waybill-data',
      'Folder of everything that Waybill keeps: log, ledger, configuration, secrets.',
    ),
  },
  ingest: {
    host: text(
      '127.0.0.1',
      'Address that producers reach. `0.0.0.0` or `::` opens it to the network.',
    ),
    port: port(4510, 'Port that producers send to. 0 lets the system choose.'),
    tlsCert: text(
      '',
      'PEM file with the certificate chain; with it the listener speaks HTTPS. Reloaded when it changes.',
    ),
    tlsKey: text('', "PEM file with the certificate's private key."),
    bodyBytes: {
      kind: 'whole',
      default: limits.ingest.bodyBytes,
      least: 1_024,
      most: limits.ingest.bodyBytes,
      help: 'Largest body of a request as sent, in bytes.',
    },
    lineBytes: {
      kind: 'whole',
      default: limits.ingest.lineBytes,
      least: 256,
      most: limits.ingest.lineBytesMax,
      help: 'Longest line, in bytes.',
    },
  },
  control: {
    host: text('127.0.0.1', 'Address of the control API, metrics and health checks.'),
    port: port(4511, 'Port of the control API. 0 lets the system choose.'),
    tlsCert: text(
      '',
      'PEM file with the certificate chain; with it the listener speaks HTTPS. Reloaded when it changes.',
    ),
    tlsKey: text('', "PEM file with the certificate's private key."),
    keySource: {
      kind: 'choice',
      default: 'file',
      among: ['file', 'env', 'command'],
      help: 'Where the key that seals secrets comes from: `keyFile`, the environment variable `WAYBILL_SEALING_KEY`, or the output of `keyCommand`. The last two give 32 bytes as 64 hex digits or base64, or several such keys, newest first.',
    },
    keyCommand: {
      kind: 'list',
      default: [] as readonly string[],
      help: 'Program with its arguments that prints the key, for `keySource: command`; asked at the start and at each rotation.',
    },
    keyFile: text(
      '',
      'File with the 32-byte key that seals secrets. Empty: `secrets.key` in the data folder, made at the first start.',
    ),
  },
  buffer: {
    segmentBytes: {
      kind: 'whole',
      default: limits.log.segmentBytes,
      least: 1 << 20,
      most: 1 << 30,
      help: 'Size of one segment of the log, in bytes.',
    },
    holdbackMs: ms(
      limits.buffer.holdbackMs,
      0,
      'How long lines stay after they are settled, so that they can be replayed. Counts time in service.',
    ),
    retentionMs: ms(
      limits.buffer.retentionMs,
      60_000,
      'How long waiting lines are kept at most. Counts time in service.',
    ),
    erasureMs: ms(
      limits.buffer.erasureMs,
      0,
      'How long bytes of erased lines may stay on disk, where nothing reads them, before the log is copied without them. Counts time in service; orders in between share one copy.',
    ),
    lowWatermark: {
      kind: 'share',
      default: limits.buffer.lowWatermark,
      least: 0.1,
      most: 0.98,
      help: 'Share of the disk from which accounts above their fair share are refused.',
    },
    highWatermark: {
      kind: 'share',
      default: limits.buffer.highWatermark,
      least: 0.1,
      most: 0.99,
      help: 'Share of the disk from which everybody is refused.',
    },
  },
  deliver: {
    intervalMs: {
      kind: 'whole',
      default: limits.deliver.intervalMs,
      least: limits.deliver.intervalMsMin,
      most: 300_000,
      help: 'How often a job delivers what has come, in milliseconds.',
    },
    lossMarkers: {
      kind: 'switch',
      default: true,
      help: 'Whether a destination gets a marker object or line when lines of its job are lost. See docs/loss-notices.md.',
    },
  },
  destinations: {
    allowHttp: {
      kind: 'switch',
      default: false,
      help: 'Whether customers may use `http://` destinations and endpoints.',
    },
    allowAddresses: {
      kind: 'list',
      default: [] as readonly string[],
      help: 'Address ranges (CIDR) to open that are refused otherwise: private, loopback, link-local and the like.',
    },
    denyAddresses: {
      kind: 'list',
      default: [] as readonly string[],
      help: 'Public address ranges (CIDR) to close besides, such as those of an inner network. Goes before allowAddresses.',
    },
    allowPorts: {
      kind: 'list',
      default: [] as readonly string[],
      help: 'Ports that may be dialled, as 443, 8088, 9200. Empty: every port but those of mail, shells and chat.',
    },
    awsAccessKeyId: text(
      '',
      'Key with which customers’ roles in AWS are assumed (sts:AssumeRole). Empty: roles are not offered.',
    ),
    awsSecretAccessKey: {
      kind: 'text',
      default: '',
      secret: true,
      help: 'The secret of that key. Better given by the environment.',
    },
    fileRoots: {
      kind: 'list',
      default: [] as readonly string[],
      help: 'Folders that `file://` destinations may write below. Empty: none.',
    },
    ownershipChallenge: {
      kind: 'choice',
      default: 'ambient',
      among: ['never', 'ambient', 'objects', 'all'],
      help: 'For which destinations a job needs a proof of ownership: `ambient`, those that the server’s own cloud credentials open; `objects`, all that keep objects or files; `all`, also receivers of requests.',
    },
  },
  process: {
    shards: {
      kind: 'whole',
      default: 1,
      least: 1,
      most: limits.shards.most,
      help: 'Threads that take lines in, each with a log of its own; never fewer than the data folder has. See docs/shards.md.',
    },
    drainMs: ms(20_000, 0, 'How long SIGTERM waits for what is under way.'),
    logLevel: {
      kind: 'choice',
      default: 'info',
      among: ['debug', 'info', 'warn', 'error', 'alarm'],
      help: "Least level of the process's own log on standard error.",
    },
  },
} as const satisfies Record<string, Record<string, Setting>>;

type ValueOf<S extends Setting> = S['kind'] extends 'text' | 'choice'
  ? string
  : S['kind'] extends 'whole' | 'share'
    ? number
    : S['kind'] extends 'switch'
      ? boolean
      : readonly string[];

/** The effective settings. */
export type Config = {
  readonly [Section in keyof typeof SETTINGS]: {
    readonly [
      Key in keyof (typeof SETTINGS)[Section]
    ]: (typeof SETTINGS)[Section][Key] extends Setting
      ? ValueOf<(typeof SETTINGS)[Section][Key]>
      : never;
  };
};

/** A setting with all of its names. */
export interface NamedSetting {
  readonly section: string;
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  readonly setting: Setting;
}

const words = (camel: string) => camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** All settings in the order of the table. */
export const NAMED_SETTINGS: readonly NamedSetting[] = Object.entries(SETTINGS).flatMap(
  ([section, keys]) =>
    Object.entries(keys as Record<string, Setting>).map(([key, setting]) => ({
      section,
      key,
      flag: `--${section}-${words(key)}`,
      variable: `WAYBILL_${section}_${words(key)}`.replaceAll('-', '_').toUpperCase(),
      setting,
    })),
);
