/**
 * Who a request comes from: the address of the peer, or, if the peer is a proxy that the operator trusts, the
 * one that the proxy names.
 *
 * Forwarded headers are read from right to left, since each proxy writes its peer at the end: trusted proxies are
 * passed over, and the first address that is none of them is the client. What is further left, the client may have
 * written itself. `X-Forwarded-For` is read if it is there, else `Forwarded` (RFC 7239). Never throws: an entry that
 * is no address ends the way, and the last proxy that was understood stands for the client.
 */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';

/** More hops than any chain of proxies has. */
const HOPS_MAX = 16;

/** Proxies whose word is believed. */
export class TrustedProxies {
  readonly #networks = new BlockList();

  /** Addresses and networks, such as `127.0.0.1` and `10.0.0.0/8`. Throws if one is neither. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const family = address.includes(':') ? 'ipv6' : 'ipv4';
      this.#networks.addSubnet(address, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family);
    }
  }

  /** Whether a peer is one of them. */
  has(address: string): boolean {
    return isIP(address) !== 0 && this.#networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }

  /** The address of the client. */
  clientOf({
    headers,
    socket,
  }: Pick<IncomingMessage, 'headers'> & { readonly socket: Pick<IncomingMessage['socket'], 'remoteAddress'> }): string {
    let address = canonical(socket.remoteAddress ?? '') ?? '';
    for (const hop of hopsOf(headers)) {
      if (!this.has(address)) break;
      const next = canonical(hop);
      if (next === undefined) break;
      address = next;
    }
    return address;
  }
}

/** What is limited together: an IPv4 address, or the /64 that one subscriber of IPv6 has. */
export function networkOf(address: string): string {
  const plain = canonical(address);
  if (plain === undefined || !plain.includes(':')) return plain ?? address;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** The addresses that proxies have written, the last one first, as they stand there. */
function hopsOf(headers: IncomingMessage['headers']): readonly string[] {
  const { 'x-forwarded-for': list, forwarded } = headers;
  if (list !== undefined) return String(list).split(',').slice(-HOPS_MAX).toReversed();
  if (forwarded === undefined) return [];
  return forwarded
    .split(',')
    .slice(-HOPS_MAX)
    .toReversed()
    .map((hop) => /(?:^|;)\s*for="?([^";]*)/i.exec(hop)?.[1] ?? '');
}

/**
 * One way to write an address: without blanks, brackets, port and zone, an IPv4 address never as one of IPv6. `undefined` if it is
 * none.
 */
function canonical(text: string): string | undefined {
  const bare = text.trim();
  const inside = /^\[([^\]]*)\](?::\d+)?$/.exec(bare)?.[1] ?? /^([^:]*):\d+$/.exec(bare)?.[1] ?? bare;
  const [plain = ''] = inside.split('%');
  const version = isIP(plain);
  if (version === 0) return undefined;
  if (version === 4) return plain;
  const { address } = new SocketAddress({ address: plain, family: 'ipv6' });
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address;
}
