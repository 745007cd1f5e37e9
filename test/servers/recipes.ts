/** The servers of the long suite: what each is, in which exact version, and how it gets here. */
import { execFile } from 'node:child_process';
import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LARGE = { maxBuffer: 64 << 20 };

export interface Recipe {
  /** Name and exact version; also the folder's. */
  readonly name: string;
  /** Relative to its folder; there when it is ready. */
  readonly program: string;
  /** Where libraries of its own lie, relative to its folder. */
  readonly libraries?: string;
  /** What starts the program when it does not start itself: a command of the machine. */
  readonly command?: string;
  /** Puts the program into `folder`. */
  install(folder: string): Promise<unknown>;
}

/** A Go program whose module has no replacements. */
function goInstall(path: string) {
  return (folder: string) =>
    run('go', ['install', path], { env: goEnv(folder), maxBuffer: 64 << 20 });
}

/** One package at a time: a small machine does not hold more. */
function goEnv(folder: string) {
  return { ...process.env, GOBIN: folder, GOFLAGS: '-p=1 -buildvcs=false -mod=mod' };
}

/** A Go program of a module that replaces some of what it needs: built inside a module that does the same. */
async function buildVictoriaLogs(folder: string): Promise<void> {
  const module = [
    'module waybill-test-server',
    'go 1.23.5',
    'require github.com/VictoriaMetrics/VictoriaMetrics v1.110.0',
    'replace cloud.google.com/go/storage => cloud.google.com/go/storage v1.43.0',
  ];
  await writeFile(join(folder, 'go.mod'), `${module.join('\n')}\n`);
  const path = 'github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs';
  const options = { cwd: folder, env: goEnv(folder), maxBuffer: 64 << 20 };
  await run('go', ['build', '-o', 'victoria-logs', path], options);
}

export const VICTORIA_LOGS: Recipe = {
  name: 'victoria-logs-1.110.0',
  program: 'victoria-logs',
  install: buildVictoriaLogs,
};

export const FAKE_GCS: Recipe = {
  name: 'fake-gcs-server-1.56.1',
  program: 'fake-gcs-server',
  install: goInstall('github.com/fsouza/fake-gcs-server@v1.56.1'),
};

export const AZURITE: Recipe = {
  name: 'azurite-3.37.0',
  program: 'node_modules/azurite/dist/src/blob/main.js',
  install: (folder) =>
    run(
      'npm',
      ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', 'azurite@3.37.0'],
      {
        maxBuffer: 64 << 20,
      },
    ),
};

/** S3, STS and Kinesis of AWS, rebuilt by people who test against the real ones. */
export const MOTO: Recipe = {
  name: 'moto-5.2.5',
  program: 'bin/moto_server',
  async install(folder) {
    await run('python3', ['-m', 'venv', folder]);
    const pip = join(folder, 'bin/pip');
    await run(pip, ['install', '-q', 'moto[server,s3,sts,kinesis]==5.2.5'], {
      maxBuffer: 64 << 20,
    });
  },
};

/** Debian's package, unpacked and not installed; its libraries lie beside it. */
export const RSYSLOG: Recipe = {
  name: 'rsyslog-8.2302',
  program: 'usr/sbin/rsyslogd',
  libraries: 'usr/lib/x86_64-linux-gnu',
  async install(folder) {
    const packages = ['rsyslog', 'rsyslog-openssl', 'libestr0', 'libfastjson4', 'liblognorm5'];
    await run('apt-get', ['download', ...packages], { cwd: folder });
    for (const file of await readdir(folder))
      if (file.endsWith('.deb')) await run('dpkg', ['-x', join(folder, file), folder]);
  },
};

/** The OpenTelemetry Collector with the receiver of OTLP and an exporter that writes a file, put together as its builder does. */
export const OTEL_COLLECTOR: Recipe = {
  name: 'otel-collector-0.160.0',
  program: 'otelcol',
  async install(folder) {
    const core = 'go.opentelemetry.io/collector';
    await copyFile(join(import.meta.dirname, 'otel-collector.go'), join(folder, 'main.go'));
    await writeFile(join(folder, 'go.mod'), 'module waybill-test-server\n\ngo 1.26.0\n');
    const options = { cwd: folder, env: goEnv(folder), ...LARGE };
    const modules = [
      'github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter@v0.160.0',
      `${core}/otelcol@v0.160.0`,
      `${core}/receiver/otlpreceiver@v0.160.0`,
      `${core}/service/telemetry/otelconftelemetry@v0.160.0`,
      `${core}/confmap/provider/fileprovider`,
    ];
    await run('go', ['get', ...modules], options);
    await run('go', ['build', '-o', 'otelcol', '.'], options);
  },
};

/** ClickHouse's engine as a library; `clickhouse-front.py` gives it the part of the HTTP interface that inserts use. */
export const CLICKHOUSE: Recipe = {
  name: 'chdb-core-26.9.0',
  program: 'bin/python',
  async install(folder) {
    await run('python3', ['-m', 'venv', folder]);
    const pip = ['install', '-q', '--only-binary', ':all:', 'chdb-core==26.9.0'];
    await run(join(folder, 'bin/pip'), pip, LARGE);
  },
};

const KAFKA_VERSION = '4.1.0';

/** Apache Kafka's broker and tools, from its own releases on Maven Central. */
export const KAFKA: Recipe = {
  name: `kafka-${KAFKA_VERSION}`,
  program: `lib/kafka_2.13-${KAFKA_VERSION}.jar`,
  command: 'java',
  async install(folder) {
    const dependency = (name: string): string =>
      `<dependency><groupId>org.apache.kafka</groupId><artifactId>${name}</artifactId><version>${KAFKA_VERSION}</version></dependency>`;
    const pom = [
      '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
      '<groupId>waybill</groupId><artifactId>test-kafka</artifactId><version>1</version><packaging>pom</packaging>',
      `<dependencies>${dependency('kafka_2.13')}${dependency('kafka-tools')}</dependencies></project>`,
    ];
    await writeFile(join(folder, 'pom.xml'), pom.join('\n'));
    const what = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime'];
    await run('mvn', [...what, '-DoutputDirectory=lib'], { cwd: folder, ...LARGE });
  },
};
