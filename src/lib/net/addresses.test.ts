import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalAddress, parseOpenedRange, refusedRange } from './addresses.ts';
import type { OpenedRange } from './addresses.ts';
import { runs } from '../testing/depth.ts';

const refused = (address: string, opened: readonly string[] = [], own: readonly string[] = []) =>
  refusedRange(address, opened.map(open), own);

function open(text: string): OpenedRange {
  const range = parseOpenedRange(text);
  assert.ok(range, `${text} is a range`);
  return range;
}

/** First and last address of each special range, and what ipaddr or we call it. */
const SPECIAL: readonly (readonly [string, string])[] = [
  ['0.0.0.0', 'unspecified'],
  ['0.255.255.255', 'unspecified'],
  ['10.0.0.0', 'private'],
  ['10.255.255.255', 'private'],
  ['100.64.0.0', 'carrierGradeNat'],
  ['100.127.255.255', 'carrierGradeNat'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['169.254.0.1', 'linkLocal'],
  ['169.254.169.254', 'metadata'],
  ['172.16.0.0', 'private'],
  ['172.31.255.255', 'private'],
  ['192.0.0.1', 'reserved'],
  ['192.0.0.255', 'reserved'],
  ['192.0.2.1', 'reserved'],
  ['192.31.196.1', 'as112'],
  ['192.52.193.1', 'amt'],
  ['192.88.99.1', 'reserved'],
  ['192.168.0.0', 'private'],
  ['192.168.255.255', 'private'],
  ['192.175.48.1', 'as112'],
  ['198.18.0.0', 'reserved'],
  ['198.19.255.255', 'reserved'],
  ['198.51.100.7', 'reserved'],
  ['198.51.100.255', 'reserved'],
  ['203.0.113.7', 'reserved'],
  ['203.0.113.255', 'reserved'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['100.100.100.200', 'metadata'],
  ['168.63.129.16', 'metadata'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::7f00:1', 'reserved'],
  ['100::1', 'discard'],
  ['100:0:0:1::1', 'reserved'],
  ['2001:1::1', 'reserved'],
  ['2001:3::1', 'amt'],
  ['2001:4:112::1', 'as112v6'],
  ['2001:30::1', 'droneRemoteIdProtocolEntityTags'],
  ['2001:1ff::1', 'reserved'],
  ['2620:4f:8000::1', 'as112v6'],
  ['fe80::1%eth0', 'linkLocal'],
  ['2001:2::1', 'benchmarking'],
  ['2001:10::1', 'deprecatedOrchid'],
  ['2001:20::1', 'orchid2'],
  ['2001:db8::1', 'reserved'],
  ['3fff::1', 'reserved'],
  ['5f00::1', 'segmentRouting'],
  ['4000::1', 'reserved'],
  ['fc00::1', 'uniqueLocal'],
  ['fdff::1', 'uniqueLocal'],
  ['fd00:ec2::254', 'metadata'],
  ['fe80::1', 'linkLocal'],
  ['febf::1', 'linkLocal'],
  ['fec0::1', 'deprecatedSiteLocal'],
  ['ff02::1', 'multicast'],
];

for (const [address, range] of SPECIAL) {
  test(`${address} is refused as ${range}`, () => {
    assert.equal(refused(address), range);
  });
}

for (const address of [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00:1450::1',
]) {
  test(`${address} may be dialled`, () => {
    assert.equal(refused(address), undefined);
  });
}

test('an IPv6 address is judged by the IPv4 address that it carries inside', () => {
  const private4 = {
    '10.1.2.3': ['0a01', '0203'],
    '169.254.169.254': ['a9fe', 'a9fe'],
    '127.0.0.1': ['7f00', '0001'],
  };
  for (const [dotted, [high, low]] of Object.entries(private4)) {
    assert.ok(refused(`::ffff:${dotted}`), `mapped ${dotted}`);
    assert.ok(refused(`::ffff:${high}:${low}`), `mapped in hex ${dotted}`);
    assert.ok(refused(`64:ff9b::${high}:${low}`), `NAT64 ${dotted}`);
    assert.ok(refused(`2002:${high}:${low}::1`), `6to4 ${dotted}`);
    assert.ok(refused(`2001:0:${high}:${low}:0:0:f7f7:f7f7`), `Teredo server ${dotted}`);
    assert.ok(refused(`::ffff:0:${high}:${low}`), `translated ${dotted}`);
    assert.ok(refused(`64:ff9b:1::${high}:${low}`), `local NAT64 ${dotted}`);
  }
  // 10.1.2.3 with all bits flipped, behind a public server.
  assert.equal(refused('2001:0:0808:0808:0:0:f5fe:fdfc'), 'private');
  assert.equal(refused('::ffff:8.8.8.8'), undefined);
  assert.equal(refused('64:ff9b::808:808'), undefined);
  assert.equal(refused('2002:808:808::1'), undefined);
  assert.equal(refused('2001:0:808:808:0:0:f7f7:f7f7'), undefined);
});

test('a range that the operator opened may be dialled, and nothing beside it', () => {
  assert.equal(refused('10.1.2.3', ['10.1.0.0/16']), undefined);
  assert.equal(refused('10.2.2.3', ['10.1.0.0/16']), 'private');
  assert.equal(refused('::ffff:10.1.2.3', ['10.1.0.0/16']), undefined);
  assert.equal(refused('64:ff9b::a01:203', ['10.1.0.0/16']), undefined);
  assert.equal(refused('::1', ['127.0.0.0/8']), 'loopback');
  assert.equal(refused('::1', ['::1']), undefined);
  assert.equal(refused('fd12::1', ['fd00::/8']), undefined);
});

test('metadata services are opened only by their very address', () => {
  assert.equal(refused('169.254.169.254', ['169.254.0.0/16', '0.0.0.0/0']), 'metadata');
  assert.equal(refused('fd00:ec2::254', ['fd00::/8', '::/0']), 'metadata');
  assert.equal(refused('169.254.169.254', ['169.254.169.254/32']), undefined);
  assert.equal(refused('::ffff:169.254.169.254', ['0.0.0.0/0']), 'metadata');
});

test("this machine's own public addresses are refused unless opened", () => {
  assert.equal(refused('8.8.4.4', [], ['8.8.4.4']), 'own');
  assert.equal(refused('2606:4700::1', [], ['2606:4700:0::1']), 'own');
  assert.equal(refused('64:ff9b::808:404', [], ['8.8.4.4']), 'own');
  assert.equal(refused('8.8.4.4', ['8.8.4.0/24'], ['8.8.4.4']), undefined);
});

test('what is no address is refused', () => {
  for (const text of [
    '',
    'example.com',
    '1.2.3',
    '0x7f.1',
    '010.0.0.1',
    '2130706433',
    '1.2.3.4/8',
    '[::1]',
  ]) {
    assert.equal(refused(text), 'not an address', text);
  }
});

test('ranges are read strictly', () => {
  for (const text of [
    '',
    '10.0.0.0/33',
    '::/129',
    '10/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'x/8',
    '10.0.0.0/-1',
  ]) {
    assert.equal(parseOpenedRange(text), undefined, text);
  }
  assert.ok(parseOpenedRange(' 192.168.0.0/16 '));
});

test('every address inside of a special IPv4 range is refused, however IPv6 wraps it', () => {
  const inside = fc.constantFrom('10', '127', '0', '224', '255');
  fc.assert(
    fc.property(inside, fc.nat(255), fc.nat(255), fc.nat(255), (a, b, c, d) => {
      const hex = (x: number, y: number) => ((x << 8) | y).toString(16);
      const high = hex(Number(a), b);
      const low = hex(c, d);
      assert.ok(refused(`${a}.${b}.${c}.${d}`));
      assert.ok(refused(`::ffff:${high}:${low}`));
      assert.ok(refused(`64:ff9b::${high}:${low}`));
      assert.ok(refused(`2002:${high}:${low}::`));
    }),
    { numRuns: runs(300) },
  );
});

test('spellings of one address are equal', () => {
  assert.equal(canonicalAddress('::ffff:1.2.3.4'), '1.2.3.4');
  assert.equal(canonicalAddress('2606:4700:0:0::1'), canonicalAddress('2606:4700::1'));
});
