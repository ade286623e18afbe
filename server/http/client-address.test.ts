import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { networkOf, TrustedProxies } from './client-address.ts';

const proxies = new TrustedProxies(['10.0.0.0/8', '127.0.0.1', '2001:db8:ffff::/48']);
const clientOf = (remoteAddress: string, headers: Readonly<Record<string, string>>): string =>
  proxies.clientOf({ headers, socket: { remoteAddress } });

describe('the address of a client', () => {
  it.each([
    ['is that of the peer without headers', '192.0.2.1', {}, '192.0.2.1'],
    ['is that of a peer that nobody trusts, whatever it says', '192.0.2.1', { 'x-forwarded-for': '198.51.100.1' }, '192.0.2.1'],
    ['is what a trusted proxy says', '10.1.2.3', { 'x-forwarded-for': '198.51.100.1' }, '198.51.100.1'],
    ['is what a trusted proxy says over IPv6 sockets', '::ffff:10.1.2.3', { 'x-forwarded-for': '198.51.100.1' }, '198.51.100.1'],
    ['is not what the client has written before it', '10.1.2.3', { 'x-forwarded-for': '1.1.1.1, 198.51.100.1' }, '198.51.100.1'],
    [
      'is found behind several trusted proxies',
      '10.1.2.3',
      { 'x-forwarded-for': '1.1.1.1,198.51.100.1, 10.9.9.9,127.0.0.1' },
      '198.51.100.1',
    ],
    ['is the furthest proxy where all are trusted', '10.1.2.3', { 'x-forwarded-for': '10.7.7.7, 10.9.9.9' }, '10.7.7.7'],
    ['is the last that was understood', '10.1.2.3', { 'x-forwarded-for': '198.51.100.1, unknown, 10.9.9.9' }, '10.9.9.9'],
    ['may have a port', '10.1.2.3', { 'x-forwarded-for': '198.51.100.1:4711' }, '198.51.100.1'],
    ['may be of IPv6', '10.1.2.3', { 'x-forwarded-for': '2001:DB8:0:0::1' }, '2001:db8::1'],
    ['may be of IPv6 in brackets', '2001:db8:ffff::1', { 'x-forwarded-for': '[2001:db8::1]:4711' }, '2001:db8::1'],
    [
      'is in Forwarded where there is nothing else',
      '10.1.2.3',
      { forwarded: 'for=1.1.1.1, for=198.51.100.1;proto=https;by=10.1.1.1' },
      '198.51.100.1',
    ],
    ['is in Forwarded in quotes', '10.1.2.3', { forwarded: 'proto=https; For="[2001:db8::1]:4711"' }, '2001:db8::1'],
    [
      'is not in Forwarded that the client sent past a proxy that writes the other header',
      '10.1.2.3',
      { forwarded: 'for=1.1.1.1', 'x-forwarded-for': '198.51.100.1' },
      '198.51.100.1',
    ],
    ['is nothing that hides itself', '10.1.2.3', { forwarded: 'for=_hidden' }, '10.1.2.3'],
    ['is nothing at all if there is no peer any more', '', { 'x-forwarded-for': '198.51.100.1' }, ''],
  ])('%s', (_, peer, headers, client) => {
    expect(clientOf(peer, headers)).toBe(client);
  });

  it('never throws, and is never what somebody made up on the left of an address', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, forwarded) => {
        expect(clientOf('10.1.2.3', { 'x-forwarded-for': `${text},198.51.100.1`, forwarded })).toBe('198.51.100.1');
        expect(typeof clientOf('10.1.2.3', { forwarded })).toBe('string');
        expect(typeof clientOf('10.1.2.3', { 'x-forwarded-for': text })).toBe('string');
      }),
    );
  });
});

describe('a network', () => {
  it('is one IPv4 address however it is written, and one /64 of IPv6', () => {
    expect(['10.0.0.1', '::ffff:10.0.0.1', '::FFFF:a00:1', '10.0.0.2'].map(networkOf)).toEqual([
      '10.0.0.1',
      '10.0.0.1',
      '10.0.0.1',
      '10.0.0.2',
    ]);
    const [first, ...same] = ['2001:db8:1:2::1', '2001:db8:1:2:a:b:c:d', '2001:0DB8:0001:2::'].map(networkOf);
    expect(same).toEqual([first, first]);
    expect(networkOf('2001:db8:1:3::1')).not.toBe(first);
    expect(networkOf('::1')).toBe(networkOf('::2'));
    expect(networkOf('2001:db8::1')).toBe(networkOf('2001:db8:0:0:5::'));
  });
});
