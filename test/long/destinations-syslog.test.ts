/** rsyslog, over TCP and over TLS. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT, EXPIRED, VALID } from '../servers/certificates.ts';
import { batchFor, send, withServer } from '../servers/real.ts';
import { RSYSLOG } from '../servers/recipes.ts';

describe(RSYSLOG.name, () => {
  withServer(
    RSYSLOG,
    async (port, folder, home) => {
      const conf = [
        'global(maxMessageSize="64k" processInternalMessages="off")',
        'module(load="imtcp")',
        `input(type="imtcp" port="${port}" address="127.0.0.1")`,
        'template(name="seen" type="string" string="%PROCID% %HOSTNAME% %APP-NAME% %msg%\\n")',
        `action(type="omfile" file="${folder}/out" template="seen")`,
      ];
      await writeFile(`${folder}/rsyslog.conf`, `${conf.join('\n')}\n`);
      const modules = `${home}/usr/lib/x86_64-linux-gnu/rsyslog`;
      return ['-n', '-f', `${folder}/rsyslog.conf`, '-i', `${folder}/pid`, '-M', modules];
    },
    (claim) => {
      claim(
        'every line is a message with the batch’s id, and the end is confirmed',
        async (server) => {
          const conf = `syslog://127.0.0.1:${server.port}?transport=tcp&app=cdn&hostname=edge`;
          const lines = Array.from(
            { length: 2_000 },
            (_, n) => `{"n":${n},"t":"${'é'.repeat(n % 50)}"}`,
          );
          const batch = batchFor(conf, lines);
          const outcome = await send(conf, batch);
          assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
          let rows: string[] = [];
          for (let tries = 0; tries < 50 && rows.length < lines.length; tries += 1) {
            await sleep(100);
            const text = await readFile(`${server.folder}/out`, 'utf8').catch(() => '');
            rows = text.split('\n').filter((row) => row !== '');
          }
          assert.deepEqual(
            rows,
            lines.map((line) => `${batch.id} edge cdn ${line}`),
          );
        },
      );

      claim('a daemon that is killed in the middle is no success', async (server) => {
        const conf = `syslog://127.0.0.1:${server.port}?transport=tcp`;
        const lines = Array.from(
          { length: 20_000 },
          (_, n) => `{"n":${n},"t":"${'x'.repeat(100)}"}`,
        );
        server.pause();
        const sending = send(conf, batchFor(conf, lines));
        await sleep(300);
        await server.stop();
        assert.equal((await sending).kind, 'retry');
      });
    },
  );
});

describe(RSYSLOG.name, () => {
  withServer(
    RSYSLOG,
    async (port, folder, home) => {
      await writeFile(`${folder}/cert.pem`, VALID.cert);
      await writeFile(`${folder}/key.pem`, VALID.key);
      const conf = [
        `global(maxMessageSize="64k" processInternalMessages="off" defaultNetstreamDriverCAFile="${folder}/cert.pem" defaultNetstreamDriverCertFile="${folder}/cert.pem" defaultNetstreamDriverKeyFile="${folder}/key.pem")`,
        'module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")',
        `input(type="imtcp" port="${port}" address="127.0.0.1")`,
        'template(name="seen" type="string" string="%PROCID% %HOSTNAME% %APP-NAME% %msg%\\n")',
        `action(type="omfile" file="${folder}/out" template="seen")`,
      ];
      await writeFile(`${folder}/rsyslog.conf`, `${conf.join('\n')}\n`);
      const modules = `${home}/usr/lib/x86_64-linux-gnu/rsyslog`;
      return ['-n', '-f', `${folder}/rsyslog.conf`, '-i', `${folder}/pid`, '-M', modules];
    },
    (claim) => {
      claim('over TLS every line arrives, and the end is confirmed', async (server) => {
        const conf = `syslog://receiver.test:${server.port}?app=cdn&hostname=edge`;
        const lines = Array.from(
          { length: 2_000 },
          (_, n) => `{"n":${n},"t":"${'é'.repeat(n % 50)}"}`,
        );
        const batch = batchFor(conf, lines);
        const outcome = await send(conf, batch);
        assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
        assert.deepEqual(
          await seen(server.folder, lines.length),
          lines.map((line) => `${batch.id} edge cdn ${line}`),
        );
      });

      claim('without TLS it is told that the connection was cut', async (server) => {
        const conf = `syslog://receiver.test:${server.port}?transport=tcp`;
        const outcome = await send(conf, batchFor(conf, ['{"a":1}']), { stallMs: 2_000 });
        assert.equal(outcome.kind, 'retry', JSON.stringify(outcome));
      });
    },
  );
});

describe(RSYSLOG.name, () => {
  withServer(
    RSYSLOG,
    async (port, folder, home) => {
      await writeFile(`${folder}/cert.pem`, VALID.cert);
      await writeFile(`${folder}/key.pem`, VALID.key);
      await writeFile(`${folder}/clients.pem`, CLIENT.cert);
      const files = `defaultNetstreamDriverCAFile="${folder}/clients.pem" defaultNetstreamDriverCertFile="${folder}/cert.pem" defaultNetstreamDriverKeyFile="${folder}/key.pem"`;
      const conf = [
        `global(maxMessageSize="64k" processInternalMessages="off" ${files})`,
        'module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client.test"])',
        `input(type="imtcp" port="${port}" address="127.0.0.1")`,
        'template(name="seen" type="string" string="%PROCID% %HOSTNAME% %APP-NAME% %msg%\\n")',
        `action(type="omfile" file="${folder}/out" template="seen")`,
      ];
      await writeFile(`${folder}/rsyslog.conf`, `${conf.join('\n')}\n`);
      const modules = `${home}/usr/lib/x86_64-linux-gnu/rsyslog`;
      return ['-n', '-f', `${folder}/rsyslog.conf`, '-i', `${folder}/pid`, '-M', modules];
    },
    (claim) => {
      const param = (name: string, pem: string): string =>
        `&${name}=${encodeURIComponent(Buffer.from(pem).toString('base64'))}`;
      const shown = ({ cert, key }: typeof CLIENT): string =>
        param('client-certificate', cert) + param('client-key', key);

      claim(
        'a daemon that knows its senders takes lines from the right certificate',
        async (server) => {
          const conf = `syslog://receiver.test:${server.port}?app=cdn&hostname=edge${shown(CLIENT)}`;
          const lines = Array.from({ length: 200 }, (_, n) => `{"n":${n}}`);
          const batch = batchFor(conf, lines);
          const outcome = await send(conf, batch);
          assert.equal(outcome.kind, 'accepted', JSON.stringify(outcome));
          assert.deepEqual(
            await seen(server.folder, lines.length),
            lines.map((line) => `${batch.id} edge cdn ${line}`),
          );
        },
      );

      claim('and from no other', async (server) => {
        for (const without of ['', shown(EXPIRED)]) {
          const conf = `syslog://receiver.test:${server.port}?app=cdn${without}`;
          const outcome = await send(conf, batchFor(conf, ['{"a":1}']), { stallMs: 5_000 });
          assert.equal(outcome.kind, 'retry', JSON.stringify(outcome));
        }
      });
    },
  );
});

async function seen(folder: string, least: number): Promise<readonly string[]> {
  let rows: string[] = [];
  for (let tries = 0; tries < 50 && rows.length < least; tries += 1) {
    await sleep(100);
    const text = await readFile(`${folder}/out`, 'utf8').catch(() => '');
    rows = text.split('\n').filter((row) => row !== '');
  }
  return rows;
}
