/**
 * Which IP addresses a customer's destination may stand at.
 *
 * Refused are all that are not plain, globally routed unicast: the special registries of IANA (RFC 6890 and what came
 * after), this machine's own, and IPv6 forms that carry a refused IPv4 address inside. An operator opens ranges by CIDR.
 */
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A range that the operator opened, as parsed from CIDR text (`10.0.0.0/8`, `::1/128`, or a lone address). */
export type OpenedRange = readonly [Address, number];

/**
 * Services of clouds that hand out credentials to whoever asks. No wider range opens them: only an entry that names the
 * very address, so that opening one's own network does not give them away.
 */
const METADATA = new Set([
  '169.254.169.254', // AWS, Google, Azure, Oracle, DigitalOcean and more
  '169.254.170.2', // AWS ECS task credentials
  '169.254.170.23', // AWS EKS pod identity
  'fd00:ec2::254', // AWS over IPv6
  'fd00:ec2::23', // AWS EKS pod identity over IPv6
  'fd20:ce::254', // Google over IPv6
  '100.100.100.200', // Alibaba
  '168.63.129.16', // Azure's wire server, although its range is public
]);

/** Globally routed IPv6 unicast (RFC 4291 as IANA gives it out); everything else is special. */
const GLOBAL_IPV6: OpenedRange = [ipaddr.IPv6.parse('2000::'), 3];

/** Parses one entry of the operator's list; undefined when it is no CIDR range and no address. */
export function parseOpenedRange(text: string): OpenedRange | undefined {
  const [address = '', bits, ...more] = text.trim().split('/');
  if (more.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const parsed = parseAddress(address);
  if (parsed === undefined) return undefined;
  const longest = parsed.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? longest : Number(bits);
  return length <= longest ? [parsed, length] : undefined;
}

/**
 * Why an address is refused, as the name of its range, or undefined when it may be dialled.
 *
 * @param text an IPv4 or IPv6 address in any spelling
 * @param own the addresses of this machine's interfaces
 */
export function refusedRange(
  text: string,
  opened: readonly OpenedRange[],
  own: readonly string[],
): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return 'not an address';
  for (const part of withEmbedded(address)) {
    const range = special(part, own);
    if (range === undefined) continue;
    const exactly = range === 'metadata';
    if (!isIn(part, opened, exactly) && !isIn(address, opened, exactly)) return range;
  }
  return undefined;
}

/** Whether the operator closed the address, or one that it carries inside. */
export function isDenied(text: string, denied: readonly OpenedRange[]): boolean {
  const address = parseAddress(text);
  return address !== undefined && withEmbedded(address).some((part) => isIn(part, denied, false));
}

/** One spelling for one address, to compare by. */
export function canonicalAddress(text: string): string | undefined {
  return parseAddress(text)?.toString();
}

/** IPv4 only in the form of four decimal numbers: other spellings have been normalised by the URL parser, or are names. */
function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(':') || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function special(address: Address, own: readonly string[]): string | undefined {
  const text = address.toString();
  if (METADATA.has(text)) return 'metadata';
  const range = address.range();
  const embeds = address.kind() === 'ipv6' && embedded(address as ipaddr.IPv6).length > 0;
  if (range !== 'unicast' && !embeds) return range;
  if (!embeds && address.kind() === 'ipv6' && !address.match(...GLOBAL_IPV6)) return 'reserved';
  if (own.some((mine) => canonicalAddress(mine) === text)) return 'own';
  return undefined;
}

/** The address and the IPv4 addresses that it carries inside: each of them has to pass. */
function withEmbedded(address: Address): readonly Address[] {
  return address.kind() === 'ipv4' ? [address] : [address, ...embedded(address as ipaddr.IPv6)];
}

function embedded(address: ipaddr.IPv6): readonly ipaddr.IPv4[] {
  const bytes = address.toByteArray();
  const at = (start: number, mask = 0): ipaddr.IPv4 =>
    new ipaddr.IPv4(bytes.slice(start, start + 4).map((byte) => byte ^ mask));
  switch (address.range()) {
    case '6to4': // RFC 3056
      return [at(2)];
    case 'teredo': // RFC 4380: the server, and the client with all bits flipped
      return [at(4), at(12, 0xff)];
    case 'rfc6052': // NAT64: only the well-known prefix says where the address stands
      return bytes[5] === 0 ? [at(12)] : [];
    default:
      return [];
  }
}

function isIn(address: Address, ranges: readonly OpenedRange[], exactly: boolean): boolean {
  return ranges.some(([range, bits]) => {
    if (range.kind() !== address.kind()) return false;
    if (exactly && bits < (range.kind() === 'ipv4' ? 32 : 128)) return false;
    return address.match(range, bits);
  });
}
