import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../clock.ts';
import { diagnosticsTo, silent } from '../diagnostics.ts';
import { parseOpenedRange } from './addresses.ts';
import type { OpenedRange } from './addresses.ts';
import { AddressRefused, createGuardedDialler } from './guarded-dialler.ts';
import type { GuardedDiallerOptions } from './guarded-dialler.ts';
import { networkReason } from './network-reason.ts';
import { cAresResolver, NameUnresolved, resolveAll } from './resolver.ts';
import type { NameResolver } from './resolver.ts';

const LOOPBACK = ['127.0.0.0/8'].map((text) => parseOpenedRange(text) as OpenedRange);

/** Answers each question for a name with the next of its scripted answers; the last one stays. */
function scripted(
  answers: Readonly<Record<string, readonly (readonly string[])[]>>,
): NameResolver & { asked: number } {
  const at = new Map<string, number>();
  const pick = (host: string, v6: boolean): Promise<string[]> => {
    const script = answers[host];
    if (!script) return Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }));
    const index = Math.min(at.get(`${host}${v6}`) ?? 0, script.length - 1);
    at.set(`${host}${v6}`, index + 1);
    return Promise.resolve((script[index] ?? []).filter((address) => address.includes(':') === v6));
  };
  const resolver = {
    asked: 0,
    resolve4(host: string) {
      resolver.asked += 1;
      return pick(host, false);
    },
    resolve6: (host: string) => pick(host, true),
  };
  return resolver;
}

function dialler(options: Partial<GuardedDiallerOptions> = {}) {
  return createGuardedDialler({
    resolver: scripted({}),
    allow: [],
    clock: systemClock,
    diagnostics: silent,
    connectMs: 5_000,
    idleMs: 5_000,
    idleSockets: 2,
    socketsPerHost: 8,
    ...options,
  });
}

/** The answer's status, or the error. */
function get(url: string, options: Partial<GuardedDiallerOptions> = {}): Promise<number | Error> {
  const made = dialler(options);
  return new Promise<number | Error>((resolve) => {
    request(url, { agent: made.httpAgent }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', resolve)
      .end();
  }).finally(() => made.close());
}

async function refusal(
  url: string,
  options: Partial<GuardedDiallerOptions> = {},
): Promise<AddressRefused> {
  const result = await get(url, options);
  assert.ok(result instanceof AddressRefused, `${url}: ${String(result)}`);
  return result;
}

describe('guarded dialler', () => {
  let asked = 0;
  const server = createServer((_, answer) => {
    asked += 1;
    answer.end('hello');
  });
  let port = 0;
  before(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    port = (server.address() as AddressInfo).port;
  });
  after(() => server.close());

  test('dials a name that resolves to an opened address', async () => {
    const resolver = scripted({ 'logs.example': [['127.0.0.1']] });
    assert.equal(await get(`http://logs.example:${port}/`, { resolver, allow: LOOPBACK }), 200);
  });

  test('refuses a literal inner address in every spelling that a URL takes', async () => {
    const before = asked;
    for (const host of [
      '127.0.0.1',
      '0x7f000001',
      '0x7f.1',
      '2130706433',
      '017700000001',
      '127.1',
      '0177.0.0.1',
    ]) {
      await refusal(`http://${host}:${port}/`);
    }
    for (const host of [
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '[64:ff9b::7f00:1]',
      '0',
      '169.254.169.254',
    ]) {
      await refusal(`http://${host}:${port}/`);
    }
    assert.equal(asked, before, 'nothing was connected to');
  });

  test('refuses localhost without asking a name server, and dials it when opened', async () => {
    const resolver = scripted({ localhost: [['8.8.8.8']] });
    await refusal(`http://localhost:${port}/`, { resolver });
    await refusal(`http://LOCALHOST.:${port}/`, { resolver });
    await refusal(`http://a.localhost:${port}/`, { resolver });
    assert.equal(await get(`http://localhost:${port}/`, { resolver, allow: LOOPBACK }), 200);
    assert.equal(resolver.asked, 0);
  });

  test('one inner address among good answers refuses the name', async () => {
    for (const bad of ['10.0.0.1', '::1', 'fd00:ec2::254', '::ffff:10.0.0.1']) {
      const resolver = scripted({ 'mixed.example': [['127.0.0.1', bad]] });
      await refusal(`http://mixed.example:${port}/`, { resolver, allow: LOOPBACK });
    }
  });

  test('a rebinding name server finds no gap: the vetted address is dialled, the next connection is vetted anew', async () => {
    const before = asked;
    const resolver = scripted({ 'rebind.example': [['127.0.0.1'], ['10.0.0.1']] });
    const options = { resolver, allow: LOOPBACK };
    assert.equal(await get(`http://rebind.example:${port}/`, options), 200);
    assert.equal(resolver.asked, 1, 'one question for one connection');
    await refusal(`http://rebind.example:${port}/`, options);
    assert.equal(asked, before + 1);
  });

  test("this machine's own addresses are refused although they are public", async () => {
    const resolver = scripted({ 'own.example': [['8.8.4.4']] });
    await refusal('http://own.example/', { resolver, ownAddresses: () => ['8.8.4.4'] });
  });

  test('a customer is not told what the name resolved to; the operator is', async () => {
    const lines: string[] = [];
    const diagnostics = diagnosticsTo(
      (line) => lines.push(line),
      () => 0,
    );
    const resolver = scripted({ 'inner.example': [['10.9.8.7']] });
    const error = await refusal('http://inner.example/', { resolver, diagnostics });
    assert.doesNotMatch(`${error.message} ${networkReason(error)}`, /10\.9/);
    // The same words as for a name that is not there: nobody can list the names of the inner network.
    const missing = networkReason(await get('http://nowhere.example/'));
    assert.equal(networkReason(error), missing);
    assert.match(lines.join(''), /"address":"10\.9\.8\.7","range":"private"/);
  });

  test('only allowed ports are dialled where the operator lists them', async () => {
    const resolver = scripted({ 'logs.example': [['127.0.0.1']] });
    const options = { resolver, allow: LOOPBACK };
    await refusal(`http://logs.example:${port}/`, { ...options, allowPorts: [443] });
    assert.equal(
      await get(`http://logs.example:${port}/`, { ...options, allowPorts: [port] }),
      200,
    );
  });

  test('ports of mail, shells and chat are dialled only where the operator lists them', async () => {
    const resolver = scripted({ 'logs.example': [['127.0.0.1']] });
    for (const never of [22, 25, 587, 6667])
      await refusal(`http://logs.example:${never}/`, { resolver, allow: LOOPBACK });
    const listed = await get('http://logs.example:25/', {
      resolver,
      allow: LOOPBACK,
      allowPorts: [25],
    });
    assert.ok(!(listed instanceof AddressRefused));
  });

  test('what the operator closed is refused before all, also inside of an IPv6 address', async () => {
    const deny = ['8.8.8.0/24', '127.0.0.0/8'].map((text) => parseOpenedRange(text) as OpenedRange);
    await refusal('http://8.8.8.8/', { deny });
    await refusal('http://[64:ff9b::808:808]/', { deny });
    await refusal(`http://127.0.0.1:${port}/`, { deny, allow: LOOPBACK });
    const resolver = scripted({ 'inner.example': [['8.8.8.8']] });
    const error = await refusal('http://inner.example/', { deny, resolver });
    assert.doesNotMatch(error.message, /8\.8/);
  });

  test("this server's own ports are never dialled, also where its addresses are opened", async () => {
    const resolver = scripted({ 'me.example': [['127.0.0.1']] });
    const options = { resolver, allow: LOOPBACK, ownPorts: [port] };
    for (const host of ['127.0.0.1', 'localhost', 'me.example']) {
      const error = await refusal(`http://${host}:${port}/`, options);
      assert.match(error.message, /own address/);
    }
  });

  test('what is not HTTP is vetted like everything else', async () => {
    const resolver = scripted({ 'in.example': [['10.0.0.1']], 'out.example': [['127.0.0.1']] });
    const dial = (host: string, options: Partial<GuardedDiallerOptions>): Promise<unknown> =>
      new Promise((resolve) => {
        const made = dialler({ resolver, ...options });
        const socket = made.connect({ secure: false, host, port });
        socket.on('error', resolve).on('connect', () => {
          socket.destroy();
          resolve('connected');
        });
      });
    for (const host of ['10.0.0.1', '::1', '[::1]', '127.0.0.1', 'in.example'])
      assert.ok((await dial(host, {})) instanceof AddressRefused, host);
    assert.ok(
      (await dial('out.example', { allow: LOOPBACK, allowPorts: [1] })) instanceof AddressRefused,
    );
    assert.equal(await dial('out.example', { allow: LOOPBACK }), 'connected');
  });

  test('a local socket is never dialled', async () => {
    const made = dialler({ allow: LOOPBACK });
    const error = await new Promise((resolve) => {
      request({ socketPath: '/run/some.sock', agent: made.httpAgent }).on('error', resolve).end();
    });
    assert.ok(error instanceof AddressRefused);
    made.close();
  });

  test('a name that does not exist is told from a name server in trouble', async () => {
    assert.equal(
      networkReason(await get('http://nowhere.example/')),
      'DNS: the host name was not found, or its address is not allowed as a destination here',
    );
    const failing = (code: string) => () =>
      Promise.reject(Object.assign(new Error(code), { code }));
    const half = { resolve4: failing('ETIMEOUT'), resolve6: failing('ENODATA') };
    await assert.rejects(
      resolveAll(half, 'x'),
      (error) => error instanceof NameUnresolved && error.code === 'ETIMEOUT',
    );
    const one = { resolve4: () => Promise.resolve(['1.1.1.1']), resolve6: failing('ESERVFAIL') };
    assert.deepEqual(await resolveAll(one, 'x'), ['1.1.1.1']);
  });

  test('connections are kept and used again, but only so many rest', async () => {
    const made = dialler({ allow: LOOPBACK, idleSockets: 2 });
    let connections = 0;
    server.on('connection', () => (connections += 1));
    const once = () =>
      new Promise<void>((resolve, reject) => {
        request(`http://127.0.0.1:${port}/`, { agent: made.httpAgent }, (answer) => {
          answer.resume().on('close', resolve);
        })
          .on('error', reject)
          .end();
      });
    await Promise.all([once(), once(), once(), once()]);
    assert.equal(connections, 4);
    await new Promise((resolve) => setImmediate(resolve));
    const resting = Object.values(made.httpAgent.freeSockets).flat().length;
    assert.equal(resting, 2);
    await once();
    assert.equal(connections, 4);
    made.close();
  });

  test('an inner address that refuses, filters or is unreachable is told in the same words', () => {
    const words = new Set<string>();
    for (const code of ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH']) {
      const inner = Object.assign(new Error(code), { code, address: '10.1.2.3' });
      words.add(networkReason(inner)).add(networkReason(new AggregateError([inner])));
      const outer = Object.assign(new Error(code), { code, address: '1.1.1.1' });
      assert.notEqual(networkReason(outer), networkReason(inner));
    }
    assert.deepEqual([...words], ['no connection could be made']);
  });

  test('a connection that does not stand in time is given up', async () => {
    const never = {
      resolve4: () => new Promise<string[]>(() => {}),
      resolve6: () => new Promise<string[]>(() => {}),
    };
    let fire = () => {};
    const clock = {
      ...systemClock,
      after: (_: number, callback: () => void) => ((fire = callback), () => {}),
    };
    const answer = get('http://slow.example/', { resolver: never, clock });
    await new Promise((resolve) => setImmediate(resolve));
    fire();
    assert.equal(networkReason(await answer), 'no connection could be made in time');
  });
});

test('the c-ares resolver asks the servers that it is given', async () => {
  const resolver = cAresResolver({ timeoutMs: 200, tries: 1, servers: ['127.0.0.1:1'] });
  await assert.rejects(resolveAll(resolver, 'logs.example'), NameUnresolved);
});
