/**
 * A Kafka broker that we did not write, with its own tools, and a relay before it that misbehaves to order. The broker names the
 * relay as its address, so that everything passes there, also what was learned from metadata.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect, createServer as createTcpServer, Socket } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { CLIENT, EXPIRED, VALID } from './certificates.ts';
import { freePort, startInstalled } from './installed.ts';
import type { Running } from './installed.ts';
import { KAFKA } from './recipes.ts';

const run = promisify(execFile);
const QUIET = ['-Xmx400m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=off'];

export interface KafkaBroker {
  /** The broker's own port, without log-in. */
  readonly port: number;
  /** With SCRAM or PLAIN: user `waybill`, password `open sesame`. */
  readonly loginPort: number;
  /** With TLS, for clients with the certificate `CLIENT`; its own certificate is `VALID`. */
  readonly mutualPort: number;
  /** What the broker's address is before the relay. */
  readonly relay: Relay;
  topic(name: string, partitions: number, ...settings: readonly string[]): Promise<void>;
  /** What the broker's own consumer prints: time, partition, offset, headers, key, value, tabs between. */
  read(topic: string, partition: number, from?: number, most?: number): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** @returns the broker, or why there is none */
export async function startKafka(): Promise<KafkaBroker | { readonly skipped: string }> {
  const relay = await startRelay();
  const [loginPort, mutualPort, controllerPort, toolsPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  let classes = '';
  const started = await startInstalled(KAFKA, async (port, folder, home) => {
    classes = `${home}/lib/*`;
    const ports = { port, loginPort, mutualPort, controllerPort, toolsPort };
    await writeFile(
      `${folder}/server.properties`,
      properties(folder, { ...ports, relayPort: relay.port }),
    );
    await writeFile(`${folder}/own.pem`, VALID.key + VALID.cert);
    await writeFile(`${folder}/clients.pem`, CLIENT.cert);
    const user = 'name=waybill,password=open sesame';
    const format = ['format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', `${folder}/server.properties`];
    const scram = ['256', '512'].flatMap((bits) => ['--add-scram', `SCRAM-SHA-${bits}=[${user}]`]);
    await run('java', [...QUIET, '-cp', classes, 'kafka.tools.StorageTool', ...format, ...scram]);
    return [...QUIET, '-cp', classes, 'kafka.Kafka', `${folder}/server.properties`];
  });
  if ('skipped' in started) {
    await relay.close();
    return started;
  }
  relay.lead(started.port);
  return brokerOf(started, relay, { loginPort, mutualPort, toolsPort }, classes);
}

function brokerOf(
  broker: Running,
  relay: Relay,
  {
    loginPort,
    mutualPort,
    toolsPort,
  }: Readonly<Record<'loginPort' | 'mutualPort' | 'toolsPort', number>>,
  classes: string,
): KafkaBroker {
  const tool = async (name: string, args: readonly string[]): Promise<string> => {
    const main = `org.apache.kafka.tools.${name}`;
    const all = [...QUIET, '-cp', classes, main, '--bootstrap-server', `127.0.0.1:${toolsPort}`];
    return (await run('java', [...all, ...args], { maxBuffer: 64 << 20 })).stdout;
  };
  return {
    port: broker.port,
    loginPort,
    mutualPort,
    relay,
    async topic(name, partitions, ...settings) {
      const config = settings.flatMap((setting) => ['--config', setting]);
      const args = ['--create', '--topic', name, '--partitions', String(partitions), ...config];
      await tool('TopicCommand', args);
    },
    async read(topic, partition, from = 0, most = Number.NaN) {
      // Ends when it has as many, or when nothing more comes for some time.
      const bound = most > 0 ? ['--max-messages', String(most), '--timeout-ms', '60000'] : [];
      const show = ['key', 'headers', 'timestamp', 'partition', 'offset'];
      const text = await tool('consumer.ConsoleConsumer', [
        '--topic',
        topic,
        '--partition',
        String(partition),
        '--offset',
        String(from),
        ...(bound.length > 0 ? bound : ['--timeout-ms', '4000']),
        ...show.flatMap((what) => ['--property', `print.${what}=true`]),
      ]);
      return text.split('\n').filter((row) => row !== '');
    },
    async stop() {
      await relay.close();
      await broker.stop();
    },
  };
}

function properties(
  folder: string,
  ports: Readonly<
    Record<
      'port' | 'loginPort' | 'mutualPort' | 'controllerPort' | 'toolsPort' | 'relayPort',
      number
    >
  >,
): string {
  const { port, loginPort, mutualPort, controllerPort, toolsPort, relayPort } = ports;
  const at = (name: string, number: number): string => `${name}://127.0.0.1:${number}`;
  const sasl = 'org.apache.kafka.common.security';
  const scram = `${sasl}.scram.ScramLoginModule required;`;
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=${at('CONTROLLER', controllerPort)},${at('LOGIN', loginPort)},${at('MUTUAL', mutualPort)},${at('TOOLS', toolsPort)},${at('PLAIN', port)}`,
    `advertised.listeners=PLAIN://receiver.test:${relayPort},MUTUAL://receiver.test:${mutualPort},${at('LOGIN', loginPort)},${at('TOOLS', toolsPort)}`,
    'listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,TOOLS:PLAINTEXT,LOGIN:SASL_PLAINTEXT,MUTUAL:SSL',
    'listener.name.mutual.ssl.client.auth=required',
    'listener.name.mutual.ssl.keystore.type=PEM',
    `listener.name.mutual.ssl.keystore.location=${folder}/own.pem`,
    'listener.name.mutual.ssl.truststore.type=PEM',
    `listener.name.mutual.ssl.truststore.location=${folder}/clients.pem`,
    'inter.broker.listener.name=TOOLS',
    'controller.listener.names=CONTROLLER',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    `listener.name.login.plain.sasl.jaas.config=${sasl}.plain.PlainLoginModule required username="admin" password="x" user_admin="x" user_waybill="open sesame";`,
    `listener.name.login.scram-sha-512.sasl.jaas.config=${scram}`,
    `listener.name.login.scram-sha-256.sasl.jaas.config=${scram}`,
    `log.dirs=${folder}/data`,
    'offsets.topic.replication.factor=1',
    'auto.create.topics.enable=false',
    '',
  ].join('\n');
}

/** How the relay behaves towards a request of the kind that carries records, or towards every connection. */
export type Mood =
  | 'good'
  /** Every answer comes a little later. */
  | 'slow'
  /** Closes each connection at once. */
  | 'cuts at once'
  /** Closes in the middle of a batch. */
  | 'cuts in the batch'
  /** Hands the batch on and cuts when the answer comes. */
  | 'loses the answer'
  | 'answers nonsense'
  | 'answers endlessly'
  /** Reads, and nothing comes back. */
  | 'is silent'
  /** Reads nothing. */
  | 'takes nothing';

export interface Relay {
  readonly port: number;
  /** Where to; a broker's port. */
  lead(port: number): void;
  mood(mood: Mood): void;
  /** Speaks TLS from now on, with this certificate; absent: none. */
  dress(certificate: 'good' | 'expired' | undefined): void;
  close(): Promise<void>;
}

/** Requests with fewer bytes carry no batch. */
const BATCH_BYTES = 1_000;

async function startRelay(): Promise<Relay> {
  let target = 0;
  let mood: Mood = 'good';
  let certificate: 'good' | 'expired' | undefined;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    return socket;
  };
  const tls = { good: createTlsServer(VALID), expired: createTlsServer(EXPIRED) };
  for (const each of Object.values(tls)) {
    each.on('secureConnection', (socket) => relay(keep(socket), keep, target, () => mood));
    each.on('tlsClientError', () => {});
  }
  const server: Server = createTcpServer((socket) => {
    keep(socket);
    if (certificate) tls[certificate].emit('connection', socket);
    else relay(socket, keep, target, () => mood);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    lead: (port) => void (target = port),
    mood: (next) => void (mood = next),
    dress: (next) => void (certificate = next),
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

function relay(
  client: Socket | TLSSocket,
  keep: (socket: Socket) => Socket,
  port: number,
  moodNow: () => Mood,
): void {
  if (moodNow() === 'cuts at once') return void client.destroy();
  if (moodNow() === 'takes nothing') return void client.pause();
  const broker = keep(connect(port, '127.0.0.1'));
  let sent = 0;
  client.on('data', (chunk: Buffer) => {
    sent += chunk.length;
    const mood = moodNow();
    if (mood === 'answers nonsense') return void client.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    if (mood === 'answers endlessly') return pour(client);
    if (mood === 'is silent') return;
    if (mood === 'cuts in the batch' && sent > BATCH_BYTES) {
      client.destroy();
      return void broker.destroy();
    }
    broker.write(chunk);
  });
  broker.on('data', (chunk: Buffer) => {
    const mood = moodNow();
    if (mood === 'loses the answer' && sent > BATCH_BYTES) return void client.destroy();
    setTimeout(() => client.destroyed || client.write(chunk), mood === 'slow' ? 60 : 0);
  });
  client.on('close', () => broker.destroy());
  broker.on('close', () => setTimeout(() => client.destroy(), 50));
}

/** An answer that is as long as a length can say, and never ends. */
function pour(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024, 0x7f)));
  };
  socket.on('drain', more);
  more();
}
