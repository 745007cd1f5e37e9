/** Waybill as a peer of the load harness: `serve` in its default configuration, one ingest token, jobs to the harness's sink. */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Ports {
  readonly in: number;
  readonly admin: number;
  readonly sinkHttp: number;
}

interface Variant {
  readonly load: { readonly proto: 'http'; path: string; headers: Record<string, string> };
  readonly jobs: number;
  readonly job: Readonly<Record<string, unknown>>;
}

const launcher = fileURLToPath(new URL('../../bin/waybill.mjs', import.meta.url));
/** For profiles: `--cpu-prof`, `--trace-gc`, `--perf-basic-prof`. */
const nodeFlags = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
const variant = (jobs: number, job: Variant['job'] = {}): Variant => ({
  load: { proto: 'http', path: '/v1/ingest/zones/bench/http_requests', headers: {} },
  jobs,
  job,
});

const FIELDS = [
  'RayID',
  'EdgeStartTimestamp',
  'ClientIP',
  'ClientRequestHost',
  'ClientRequestMethod',
  'ClientRequestURI',
  'EdgeResponseStatus',
  'EdgeResponseBytes',
  'ClientRequestUserAgent',
  'CacheCacheStatus',
];
const HALF = {
  where: {
    and: [
      { key: 'ClientRequestMethod', operator: 'eq', value: 'GET' },
      { key: 'EdgeResponseBytes', operator: 'lt', value: 12_000 },
      { key: 'EdgeResponseStatus', operator: 'lt', value: 500 },
    ],
  },
};

export const waybill = {
  name: 'waybill',
  variants: {
    whole: variant(1),
    tee4: variant(4),
    project: variant(1, {
      filter: JSON.stringify(HALF),
      output_options: { field_names: FIELDS, timestamp_format: 'rfc3339' },
    }),
  } as Record<string, Variant>,

  async start({ variant: name, dir, ports }: { variant: string; dir: string; ports: Ports }) {
    const data = join(dir, 'data');
    mkdirSync(dir, { recursive: true });
    const child = spawn(
      process.execPath,
      [
        ...nodeFlags,
        launcher,
        'serve',
        '--data-dir',
        data,
        '--ingest-port',
        String(ports.in),
        '--control-port',
        String(ports.admin),
        '--destinations-allow-http',
        'true',
        '--destinations-allow-addresses',
        '127.0.0.0/8',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const log = createWriteStream(join(dir, 'waybill.log'), { flags: 'a' });
    child.stderr.pipe(log);
    child.stdout.pipe(log);
    process.on('exit', () => child.kill('SIGKILL'));
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await ready(`http://127.0.0.1:${ports.admin}/readyz`, exited);
    const token = await setUp(dir, data, ports, this.variants[name]!);
    this.variants[name]!.load.headers['authorization'] = `Bearer ${token}`;
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await exited;
    };
    return {
      pid: child.pid!,
      pids: [child.pid!],
      loadPort: ports.in,
      bufferDir: data,
      exited,
      alive: () => child.exitCode === null && child.signalCode === null,
      async stop() {
        process.stderr.write(`${await syncs(ports, data)}\n`);
        await end('SIGTERM');
      },
      kill: () => end('SIGKILL'),
    };
  },
};

/** How often the log was synced, as the metrics say; for people, beside the harness's line. */
async function syncs(ports: Ports, data: string): Promise<string> {
  const operator = readFileSync(join(data, 'operator.token'), 'utf8').trim();
  const answer = await fetch(`http://127.0.0.1:${ports.admin}/metrics`, {
    headers: { authorization: `Bearer ${operator}` },
  }).catch(() => undefined);
  const lines = (await answer?.text())?.split('\n') ?? [];
  const wanted = /^waybill_(log_|buffer_)?(syncs|commits)_total/;
  return lines.filter((line) => wanted.test(line)).join(', ');
}

async function ready(url: string, exited: Promise<void>): Promise<void> {
  let over = false;
  void exited.then(() => (over = true));
  for (const until = Date.now() + 60_000; Date.now() < until && !over;) {
    if ((await fetch(url).catch(() => undefined))?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('waybill does not get ready; see waybill.log in its folder');
}

/** Makes account, zone, jobs and token once; a restart on the same folder finds them. */
async function setUp(
  dir: string,
  data: string,
  ports: Ports,
  { jobs, job }: Variant,
): Promise<string> {
  const kept = join(dir, 'ingest.token');
  if (existsSync(kept)) return readFileSync(kept, 'utf8');
  const operator = readFileSync(join(data, 'operator.token'), 'utf8').trim();
  const call = async (method: string, path: string, body: unknown) => {
    const answer = await fetch(`http://127.0.0.1:${ports.admin}${path}`, {
      method,
      headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Record<string, string>;
  };
  await call('PUT', '/v1/accounts/bench', { name: 'bench' });
  await call('PUT', '/v1/zones/bench', { account: 'bench', name: 'bench.example' });
  for (let n = 0; n < jobs; n++) {
    const destination = `http://127.0.0.1:${ports.sinkHttp}/${n === 0 ? '' : `?tee=${n}`}`;
    await call('POST', '/client/v4/zones/bench/logpush/jobs', {
      dataset: 'http_requests',
      enabled: true,
      destination_conf: destination,
      ...job,
    });
  }
  const { token } = await call('POST', '/v1/tokens', {
    kind: 'ingest',
    name: 'bench',
    scopes: [{ kind: 'zone', id: 'bench' }],
  });
  writeFileSync(kept, token!, { mode: 0o600 });
  return token!;
}
