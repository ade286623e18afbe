/** The classes for Unity: a decoder that is made from the generated C# alone reads what the server sends. */
import { Decoder, Encoder, Metadata, Schema, type DefinitionType } from '@colyseus/schema';
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { lootFor } from '#shared/catalog/loot.ts';
import { AffixState, ItemState } from '#shared/item-state.ts';
import type { Item } from '#shared/item.ts';
import { CompletedState, FeeLineState } from '#shared/protocol/completed.ts';
import { ListingState } from '#shared/protocol/listing.ts';
import { PlayerState } from '#shared/state.ts';
import { GOLD_MAX, itemId, QUANTITY_MAX, sealedId } from '#shared/units.ts';
import { stateClasses } from './reference-pages/state-schemas.ts';
import { unitySchemas } from './reference-pages/unity-schemas.ts';

Encoder.BUFFER_SIZE = 64 * 1_024;

const text = readFileSync(new URL('../client/unity/GavelState.cs', import.meta.url), 'utf8');

/** What C# declares for each type of Colyseus. */
const DECLARED: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  int32: 'int',
  uint16: 'ushort',
  uint32: 'uint',
  float64: 'double',
};

const CLASS = /public partial class (\w+) : Schema \{\n([\s\S]*?)\n {4}\}/g;
const FIELD =
  /\[Type\((?<index>\d+), "(?<type>\w+)"(?:, typeof\((?<class_>[\w<>]+)\))?(?:, "(?<child>\w+)")?\)\]\n\s+public (?<declared>[\w<>]+) (?<name>\w+) = (?<initial>[^;]+);/g;

/** The classes of the C# text as classes of Colyseus, numbered as the text numbers their fields. */
function classesOf(source: string): ReadonlyMap<string, typeof Schema> {
  const parts = [...source.matchAll(CLASS)].map(([, name = '', body = '']) => ({ name, body }));
  const classes = new Map<string, typeof Schema>(parts.map(({ name }) => [name, class extends Schema {}]));
  const elementOf = (class_: string): typeof Schema => {
    const found = classes.get(class_);
    if (found === undefined) throw new Error(`there is no class ${class_}`);
    return found;
  };
  for (const { name, body } of parts) {
    const fields = [...body.matchAll(FIELD)].map(({ groups = {} }) => groups);
    expect(fields.map(({ index }) => Number(index))).toEqual(fields.map((_, index) => index));
    const types = fields.map(({ type = '', class_ = '', child, declared, initial }): DefinitionType => {
      if (class_ === '') {
        expect([declared, initial]).toEqual([DECLARED[type], `default(${DECLARED[type]})`]);
        return type as DefinitionType;
      }
      expect([declared, initial]).toEqual([class_, 'null']);
      if (type === 'ref') return elementOf(class_);
      const element = /^(Array|Map)Schema<(\w+)>$/.exec(class_);
      expect(element?.[1]?.toLowerCase()).toBe(type);
      if (child !== undefined) expect(element?.[2]).toBe(DECLARED[child]);
      return { [type]: child ?? elementOf(element?.[2] ?? '') };
    });
    Metadata.setFields(elementOf(name), Object.fromEntries(fields.map(({ name: field = '' }, index) => [field, types[index] ?? 'string'])));
  }
  return classes;
}

const itemState = ({ affixes, ...item }: Item): ItemState =>
  new ItemState({ ...item, affixes: affixes.map((affix) => new AffixState(affix)) });

const items = lootFor(BUILT_IN_CATALOGUE, { seed: 'unity', count: 3, idOf: (index) => itemId(`item-${index}`) });

function fullState(): PlayerState {
  const [first, second, third] = items;
  if (first === undefined || second === undefined || third === undefined) throw new Error('no loot');
  const state = new PlayerState({
    name: 'ada',
    region: 'europe',
    mode: 'softcore',
    frozen: false,
    serverTime: 1_800_000_000_123,
    gold: GOLD_MAX,
    held: 20_000_001,
  });
  state.stash.set(first.id, itemState(first));
  state.commodities.set('scrap-iron', QUANTITY_MAX);
  state.listings.set(
    'one',
    new ListingState({
      id: sealedId('one'),
      item: itemState(second),
      buyout: 16_777_217,
      startsAt: 1,
      endsAt: 1_800_000_000_123,
      mine: true,
    }),
  );
  const fees = [new FeeLineState({ name: 'sale', rate: 1_500, gold: 15 })];
  state.completed.set(
    '7',
    new CompletedState({ id: 7, kind: 'sold', item: itemState(third), gold: 85, fees, tx: sealedId('ada/1/7'), at: 5 }),
  );
  return state;
}

describe('the classes for Unity', () => {
  it('are those of the state, field by field, in the order in which they are sent', () => {
    const names = [...text.matchAll(CLASS)].map(([, name, body = '']) => [
      name,
      ...[...body.matchAll(FIELD)].map((field) => field.groups?.['name']),
    ]);
    expect(names).toEqual(stateClasses().map(({ name, fields }) => [name, ...fields.map((field) => field.name)]));
  });

  it('read what the server sends', () => {
    const Root = classesOf(text).get('PlayerState');
    if (Root === undefined) throw new Error('there is no PlayerState');
    const server = fullState();
    const encoder = new Encoder(server);
    const client = new Root();
    const decoder = new Decoder(client);
    decoder.decode(encoder.encodeAll());
    expect(client.toJSON()).toEqual(server.toJSON());
    encoder.discardChanges();
    server.gold = 20_000_003;
    server.listings.delete('one');
    decoder.decode(encoder.encode());
    expect(client.toJSON()).toEqual(server.toJSON());
  });

  it('are not made with a type that Unity would read inexactly', () => {
    const field = { index: 0, name: 'gold', type: { kind: 'primitive', name: 'number' }, isOptional: false, meaning: '' } as const;
    expect(() => unitySchemas([{ name: 'Purse', fields: [field] }])).toThrow('number');
  });
});
