/**
 * A Kafka broker that we did not write, with its own tools, and a relay before it that misbehaves to order. The broker names the
 * relay as its address, so that everything passes there, also what was learned from metadata.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CLIENT, VALID } from './certificates.ts';
import { freePort, startInstalled } from './installed.ts';
import type { Running } from './installed.ts';
import { KAFKA } from './recipes.ts';
import { startRelay } from './relay.ts';
import type { Relay } from './relay.ts';

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
