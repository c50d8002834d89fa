/** Networks that are nobody's on the open internet. Source: IANA, IPv4 Special-Purpose Address Registry */
const closedV4: [network: string, bits: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const numberOf = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

/** An IPv4 address of four decimal parts, as a URL has it after parsing. */
const isPublicV4 = (address: string): boolean =>
  closedV4.every(([network, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(numberOf(address) / size) !== Math.floor(numberOf(network) / size);
  });

/**
 * Of IPv6 only global unicast, without what is set aside in it: 2001::/23 (Teredo among others), 6to4 and
 * documentation. Addresses that carry an IPv4 address (mapped, NAT64) lie outside.
 * Source: IANA, IPv6 Special-Purpose Address Registry
 */
function isPublicV6(address: string): boolean {
  const [first = '', second = ''] = address.split(':');
  const [high, low] = [Number.parseInt(first || '0', 16), Number.parseInt(second || '0', 16)];
  if (high < 0x2000 || high > 0x3fff) return false;
  if (high === 0x2002) return false;
  if (high === 0x2001) return low >= 0x200 && low !== 0xdb8;
  return !(high === 0x3fff && low < 0x1000);
}

/** Names that mean something inside a network alone. Sources: RFC 6761, 6762, 8375, 9476; ICANN on `.internal` */
const closedNames = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'home.arpa',
  'onion',
  'alt',
  'invalid',
];

/** Two labels at least, the last one no number; what is not ASCII has come as punycode. */
const domain = /^(?:[a-z0-9_-]{1,63}\.)+(?!\d+$)[a-z0-9-]{2,63}$/;

/** Whether a host, as a URL has it after parsing, can be one of the open internet. DNS is not asked. */
export function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return isPublicV6(hostname.slice(1, -1));
  if (/^\d+(\.\d+){3}$/.test(hostname)) return isPublicV4(hostname);
  const name = hostname.replace(/\.$/, '').toLowerCase();
  return domain.test(name) && closedNames.every((end) => name !== end && !name.endsWith(`.${end}`));
}
