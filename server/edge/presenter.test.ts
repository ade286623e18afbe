/** The presenter against its slow twin: the state after any changes is that of a presenter that starts from the rows as they are. */
import { Decoder } from '@colyseus/schema';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listingId, shardId } from '#shared/address.ts';
import { BUILT_IN_CATALOGUE } from '#shared/catalog/built-in.ts';
import { RULES_PROFILES } from '#shared/rules.ts';
import { PlayerState } from '#shared/state.ts';
import type { ServerMessage } from '#shared/protocol.ts';
import { epoch } from '#shared/cell.ts';
import { durationMs, FIRST_ROW_ID, instant, operationId, type ShardId, shardVersion } from '#shared/units.ts';
import { item } from '#server/market/goods/stash.ts';
import { marketFeatures } from '#server/market/market.ts';
import { rowOf } from '#server/market/feature.ts';
import { PLACES } from '#server/market/places.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { defineShard } from '#server/shard/definition.ts';
import type { Command, Message } from '#server/shard/message.ts';
import { Shard } from '#server/shard/shard.ts';
import { IdDoor } from './id-door.ts';
import { Presenter } from './presenter.ts';
import { startGoodsFor } from './sessions.ts';

const SHOWN = 3;
const rules = { ...RULES_PROFILES.dev, completedShown: SHOWN, durationMinMs: durationMs(1) };
const features = marketFeatures({ rules, regions: ['europe'], catalogue: BUILT_IN_CATALOGUE });
const definition = defineShard(features, { places: PLACES });
const { seal } = new IdDoor('w'.repeat(32));
const ADA = shardId('ada', 'europe', 'softcore');
const BOB = shardId('bob', 'europe', 'softcore');

/** Two shards that trade with each other, one of them watched by a presenter and a client that gets its patches. */
class Scene {
  readonly shards = new Map<ShardId, Shard>();
  readonly presenter = new Presenter(features, ADA, rules, seal);
  readonly client = new PlayerState();
  readonly messages: ServerMessage[] = [];
  now = instant(1_000_000);
  #ops = 0;
  readonly #decoder = new Decoder(this.client);

  constructor() {
    let ids = 0;
    for (const shard of [ADA, BOB]) {
      this.shards.set(shard, Shard.create(definition, shard, 0, epoch(1), this.now));
      const start = startGoodsFor(BUILT_IN_CATALOGUE, rules, shard, () => `item-${++ids}`);
      this.#command(shard, { kind: 'open', issuer: 'service', body: { name: 'Somebody', start } });
    }
    this.presenter.apply(this.snapshot());
    this.#decoder.decode(this.presenter.state.whole(), { offset: 1 });
    this.presenter.state.forgetChanges();
  }

  shard(id: ShardId): Shard {
    const shard = this.shards.get(id);
    if (shard === undefined) throw new Error(`${id} is not in the scene`);
    return shard;
  }

  snapshot(): Parameters<Presenter['apply']>[0] {
    const ada = this.shard(ADA);
    return { kind: 'snapshot', header: ada.header, rows: (entity) => ada.rows(entity) };
  }

  command(shard: ShardId, kind: string, body: object): void {
    this.#command(shard, { kind, issuer: 'client', op: operationId(`op-${++this.#ops}`), body });
  }

  freeze(frozen: boolean): void {
    this.#command(ADA, { kind: 'freeze', issuer: 'staff', op: operationId(`op-${++this.#ops}`), body: { frozen } });
  }

  pass(ms: number): void {
    this.now = instant(this.now + ms);
    for (const shard of [ADA, BOB]) for (const alarm of this.shard(shard).dueAlarms(this.now)) this.#send(shard, alarm);
  }

  #command(to: ShardId, command: Command): void {
    this.#send(to, command);
  }

  #send(to: ShardId, message: Message): void {
    const { changes, emitted } = this.shard(to).turn(message, this.now);
    if (changes !== undefined && to === ADA && changes.version > 1) this.#show(changes);
    for (const each of emitted) this.#send(each.to, each.message);
  }

  #show(changes: ChangeSet): void {
    this.messages.push(...this.presenter.apply({ kind: 'change', changes }));
    const patch = this.presenter.state.patch();
    if (patch !== undefined) this.#decoder.decode(patch, { offset: 1 });
  }
}

/** What a scene can do next; numbers choose among what is there. */
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('sell', 'sell', 'cancel', 'claim', 'claimAll', 'buy', 'beBought', 'pass', 'freeze'),
    choice: fc.nat(100),
    price: fc.integer({ min: 1, max: 2_000 }),
  }),
  { maxLength: 60 },
);

function play(scene: Scene, { kind, choice, price }: { kind: string; choice: number; price: number }): void {
  const ada = scene.shard(ADA);
  const stash = ada.rows(item.name);
  const pick = <T>(list: readonly T[]): T | undefined => list[choice % Math.max(1, list.length)];
  const picked = pick(stash);
  switch (kind) {
    case 'sell':
      if (picked !== undefined)
        scene.command(ADA, 'sell', { itemId: rowOf(item, picked).itemId, buyout: price, durationMs: 5 + choice * 10 });
      break;
    case 'cancel':
      scene.command(ADA, 'cancel', { listingId: listingId(pick(ada.rows('listing'))?.id ?? FIRST_ROW_ID, ADA) });
      break;
    case 'claim':
      scene.command(ADA, 'claim', { entryId: pick(ada.rows('completed'))?.id ?? 1 });
      break;
    case 'claimAll':
      scene.command(ADA, 'claim', { all: true });
      break;
    case 'buy': {
      scene.command(BOB, 'claim', { all: true });
      const bobs = scene.shard(BOB).rows(item.name)[0];
      if (bobs === undefined) break;
      scene.command(BOB, 'sell', { itemId: rowOf(item, bobs).itemId, buyout: price });
      const [listed] = scene.shard(BOB).rows('listing');
      if (listed !== undefined) scene.command(ADA, 'buyout', { listingId: listingId(listed.id, BOB), price: price + (choice % 2) });
      break;
    }
    case 'beBought': {
      const listed = pick(ada.rows('listing'));
      if (listed !== undefined) scene.command(BOB, 'buyout', { listingId: listingId(listed.id, ADA), price: 2_000 });
      break;
    }
    case 'pass':
      scene.pass(choice * 5);
      break;
    case 'freeze':
      scene.freeze(choice % 2 === 0);
  }
}

describe('the presenter', () => {
  it('shows after any changes what one shows that starts from the rows as they are, and so does a client that got the patches', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(steps, (list) => {
        const scene = new Scene();
        for (const step of list) play(scene, step);
        const twin = new Presenter(features, ADA, rules, seal);
        twin.apply(scene.snapshot());
        expect(scene.presenter.state.toJSON()).toEqual(twin.state.toJSON());
        expect(scene.client.toJSON()).toEqual(twin.state.toJSON());
        for (const { type } of scene.messages) seen.add(type);
      }),
      { numRuns: 150 },
    );
    expect([...seen].sort()).toEqual(['expired', 'notice', 'sold']);
  });

  it('tells of each new completed entry once, by an id', () => {
    const scene = new Scene();
    for (let index = 0; index < 4; index++) {
      play(scene, { kind: 'sell', choice: index, price: 100 });
      play(scene, { kind: index === 3 ? 'cancel' : 'beBought', choice: 0, price: 0 });
      play(scene, { kind: 'buy', choice: index, price: 10 });
      play(scene, { kind: 'claimAll', choice: 0, price: 0 });
    }
    const ids = scene.messages.map(({ payload }) => payload.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(scene.messages.map(({ type, payload }) => `${type} ${payload.entry?.kind}`)).toEqual([
      ...Array.from({ length: 3 }, () => ['sold sold', 'notice bought']).flat(),
      'notice cancelled',
      'notice bought',
    ]);
  });

  it('shows the oldest completed entries, and the others as those are claimed', () => {
    const scene = new Scene();
    const entries = (): number[] =>
      scene
        .shard(ADA)
        .rows('completed')
        .map(({ id }) => id);
    const shown = (): number[] => [...scene.presenter.state.fields.completed.keys()].map(Number).sort((a, b) => a - b);
    for (let index = 0; index < 5; index++) play(scene, { kind: 'buy', choice: index, price: 10 });
    expect(entries()).toHaveLength(5);
    expect(shown()).toEqual(entries().slice(0, SHOWN));
    scene.command(ADA, 'claim', { entryId: entries()[0] });
    expect(shown()).toEqual(entries().slice(0, SHOWN));
    expect(entries()).toHaveLength(4);
  });

  it('throws on changes that do not follow what it has seen', () => {
    const scene = new Scene();
    const { header } = scene.shard(ADA);
    const changes = (version: number): ChangeSet => ({ ...header, version: shardVersion(version), puts: [], removes: [], ledger: [] });
    expect(() => scene.presenter.apply({ kind: 'change', changes: changes(header.version) })).toThrow('came after version');
    expect(() => scene.presenter.apply({ kind: 'change', changes: changes(header.version + 2) })).toThrow('came after version');
    expect(() => new Presenter(features, ADA, rules, seal).apply({ kind: 'change', changes: changes(1) })).toThrow(
      'came after version none',
    );
  });
});
