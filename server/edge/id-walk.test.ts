import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { goldSchema, listingIdSchema, transactionTextSchema } from '#shared/schemas.ts';
import { ShownListing } from '#server/listing-index/shown-listing.ts';
import { idWalkOf, type Translate } from './id-walk.ts';

const marking: Translate = (kind, id, place) => `${kind} ${id} at ${place}`;

describe('the walk over ids', () => {
  it('finds them in fields, lists, maps, and behind everything that wraps a schema', () => {
    const schema = z
      .strictObject({
        id: listingIdSchema,
        gold: goldSchema,
        tx: transactionTextSchema.exactOptional(),
        ids: z.array(listingIdSchema.nullable()).optional(),
        rows: z.array(z.strictObject({ name: z.string(), id: listingIdSchema })),
        byName: z.record(z.string(), z.strictObject({ tx: transactionTextSchema.optional() })),
        later: listingIdSchema.default('x').readonly(),
      })
      .refine(() => true);
    const value = { id: 'a', gold: 5, ids: ['b', null], rows: [{ name: 'n', id: 'c' }], byName: { one: { tx: 'd' }, two: {} }, later: 'e' };
    const before = structuredClone(value);
    expect(idWalkOf(schema)?.(value, marking)).toEqual({
      id: 'listing a at id',
      gold: 5,
      ids: ['listing b at ids', null],
      rows: [{ name: 'n', id: 'listing c at id' }],
      byName: { one: { tx: 'transaction d at tx' }, two: {} },
      later: 'listing e at later',
    });
    expect(value).toEqual(before);
  });

  it('leaves a listing of a search one, so that its bytes are still packed as they are', () => {
    const schema = z.strictObject({ listings: z.array(z.strictObject({ id: listingIdSchema, gold: goldSchema, mine: z.boolean() })) });
    const body = Uint8Array.of(0x80);
    expect(idWalkOf(schema)?.({ listings: [new ShownListing('a', true, body)] }, marking)).toStrictEqual({
      listings: [new ShownListing('listing a at id', true, body)],
    });
  });

  it('is none where no id can be', () => {
    expect(idWalkOf(z.strictObject({ gold: goldSchema, one: z.union([z.string(), z.array(z.number())]) }))).toBeUndefined();
  });

  it('leaves a value of another release as it is where it has another shape', () => {
    const walk = idWalkOf(z.strictObject({ rows: z.array(z.strictObject({ id: listingIdSchema })) }));
    for (const value of [null, 5, 'x', { rows: 7 }, { rows: [null, { id: 5 }] }, {}]) expect(walk?.(value, marking)).toEqual(value);
  });

  it.each([
    ['one of several', z.union([listingIdSchema, z.number()])],
    ['a pair', z.tuple([z.number(), listingIdSchema])],
    ['something lazy', z.lazy(() => listingIdSchema)],
  ])('refuses, when a feature is made, ids in %s', (_, schema) => {
    expect(() => idWalkOf(z.strictObject({ schema }))).toThrow(Error);
  });
});
