/** Commands on the wire. Packets as a whole are tested with the link, messages of trades with the trade. */
import { describe, expect, it } from '@jest/globals';
import { command } from '#server/shard/testing/shard-driver.ts';
import { decodeCommand } from './wire.ts';

describe('a command from another node', () => {
  it('is what was sent, with an operation or without', () => {
    for (const message of [command('sell', { itemId: 'x' }, 'op-1'), command('listing', {}, undefined, 'staff')]) {
      expect(decodeCommand(JSON.parse(JSON.stringify(message)))).toEqual(message);
    }
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['an issuer that nobody is', { ...command('sell', {}, 'op'), issuer: 'root' }],
    ['an operation id with a slash', { ...command('sell', {}), op: 'a/b' }],
    ['an operation id that is null', { ...command('sell', {}), op: null }],
    ['a kind that is no word', { ...command('sell', {}), kind: 'a b' }],
    ['an unknown field', { ...command('sell', {}), extra: 1 }],
    ['a message of a trade', { kind: 'settled', key: 'settled/1', tx: '1.1.ada@europe.softcore' }],
  ])('is not %s', (_name, value) => {
    expect(decodeCommand(value)).toBeUndefined();
  });
});
