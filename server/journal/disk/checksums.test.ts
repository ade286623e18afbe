import { describe, expect, it } from '@jest/globals';
import { checksum } from './checksums.ts';

describe('the checksum of a row', () => {
  const bytes = Uint8Array.of(1, 2, 3);

  it('is of its values and of all of its bytes, in their order', () => {
    const sums = [
      checksum('ada 1'),
      checksum('ada 2'),
      checksum('ada 1', bytes),
      checksum('ada 1', Uint8Array.of(1, 2, 4)),
      checksum('ada 1', bytes, Uint8Array.of(9)),
      checksum('ada 1', Uint8Array.of(9), bytes),
    ];
    expect(new Set(sums).size).toBe(sums.length);
    expect(checksum('ada 1', Buffer.from(bytes))).toBe(checksum('ada 1', bytes));
  });

  it.each([[null], ['abc'], [7]])('equals nothing where there should be bytes and is %p', (damaged: unknown) => {
    expect(checksum('ada 1', bytes, damaged as Uint8Array)).toBeNaN();
  });
});
