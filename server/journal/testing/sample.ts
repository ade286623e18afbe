/**
 * Shards for the tests and benchmarks of the persister: change sets such as a market would make,
 * and a slow, obvious account of them.
 */
import { shardId } from '#shared/address.ts';
import { cellOf, epoch, FIRST_EPOCH, type CellEpoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { createPrng } from '#shared/prng.ts';
import { transactionId } from '#server/trade/transaction.ts';
import {
  gold,
  instant,
  type Instant,
  NO_VERSION,
  nodeName,
  rowId,
  type RowId,
  type ShardId,
  type ShardVersion,
  type TransactionId,
} from '#shared/units.ts';
import type { ChangeSet, Put, RawChangeSet, Remove } from '#server/shard/change-set.ts';
import { PlainRecordReader } from '#server/shard/record/plain-reader.ts';
import { RecordWriter } from '#server/shard/record/writer.ts';
import { boolean, bytes, defineEntity, goldAmount, integer, json, nullable, oneOf, text, timestamp } from '#server/shard/entity.ts';
import { Json } from '#server/shard/json.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import type { AnyRow, Schemas } from '#server/shard/row.ts';
import { CellEpochs } from '../disk/cell-epochs.ts';
import type { PersisterDefinition } from '../persister/persister.ts';
import type { PassHands } from '../images/image-pass.ts';
import { applyChanges } from '../images/merge.ts';
import { encodeImage, nextRows } from '../images/sqlite-file/image.ts';
import type { JournalStore } from '../disk/storage.ts';

/** A row that every shard has one of. */
export const purse = defineEntity('purse', { version: 1, attributes: { gold: goldAmount(), isFrozen: boolean() } });
/** Rows that come and go, and that the node mirrors. */
export const offer = defineEntity('offer', {
  version: 1,
  attributes: {
    price: goldAmount(),
    status: oneOf(['live', 'sold']),
    endsAt: nullable(timestamp({ alarm: 'offer-ends' })),
    item: json<object>(),
  },
});
/** Rows with every other type of value. */
export const oddment = defineEntity('oddment', {
  version: 1,
  attributes: { label: nullable(text()), count: integer(), data: nullable(bytes()), note: text() },
});

/** The schemas of the sample, by table. */
export const SCHEMA_BY_TABLE: Schemas = new Map([purse, offer, oddment].map(({ schema }) => [schema.table, schema]));
/** A definition of a world of the sample. */
export const DEFINITION: PersisterDefinition = {
  schemas: SCHEMA_BY_TABLE,
  places: ['wallet', 'stash', 'hold', 'escrow', 'listed', 'completed', 'clearing', 'minted', 'burned'],
  projected: [offer.name],
  world: { name: 'sample', node: nodeName('one'), cellsPerRegion: limits.cellsPerRegion },
};

/** What an image pass works with that nothing else has to wait for. */
export function passHands(journal: Pick<JournalStore, 'storeImageVersions' | 'drop'>, images: PassHands['images']): PassHands {
  return {
    images,
    pause: () => Promise.resolve(),
    storeImageVersions: (versions, setAside) => Promise.resolve(journal.storeImageVersions(versions, setAside)),
    drop: (through, recordsMax) => Promise.resolve(journal.drop(through, recordsMax)),
  };
}

/** The image of a shard of the data directory `instance`, from all that is in it. */
export function writeImage(image: RawChangeSet, schemas: Schemas, instance: string): Buffer {
  return encodeImage(nextRows(undefined, image, schemas), schemas, instance);
}

/** Its cells, all in the first epoch. */
export const EPOCHS = new CellEpochs(DEFINITION);

/** The cell of a shard of the sample, in an epoch. */
export function cellEpoch(shard: ShardId, inEpoch = 1): CellEpoch {
  return { ...EPOCHS.of(shard), epoch: epoch(inEpoch) };
}

/** A source of whole numbers below a bound, the same for the same seed. */
export function picker(seed: number): (below: number) => number {
  const generator = createPrng(seed);
  return (below) => generator.integer(0, below - 1);
}

/** The id of a sample shard. */
export function sampleShard(index: number): ShardId {
  return shardId(`Player${index}`, index % 2 === 0 ? 'europe' : 'asia', 'softcore');
}

/** A shard that takes turns, one after the other. `pick(n)` gives a whole number below `n`. */
export class SampleShard {
  readonly id: ShardId;
  readonly #pick: (below: number) => number;
  readonly #offers: RowId[] = [];
  /** The epoch of its cell. */
  epoch = FIRST_EPOCH;
  #version = NO_VERSION;
  #nextId = rowId(2);
  #ledgerSeq = 0;
  #gold = 1_000_000;

  /** `last` is the turn after which the shard goes on: its offers of before then stay for ever. */
  constructor(index: number, pick: (below: number) => number, last?: ChangeSet) {
    this.id = sampleShard(index);
    this.#pick = pick;
    if (last === undefined) return;
    this.#version = last.version;
    this.#nextId = last.nextId;
    this.#ledgerSeq = last.ledgerSeq;
  }

  /** The version of the last turn. */
  get version(): ShardVersion {
    return this.#version;
  }

  /** The next change set: about 250 bytes in the journal, two puts and two ledger lines. */
  turn(now: number): ChangeSet {
    this.#version++;
    const puts: Put[] = [];
    const removes: Remove[] = [];
    const ledger: LedgerEntry[] = [];
    const at = instant(now);
    const oldest = this.#offers[0];
    if (oldest !== undefined && (this.#offers.length > 8 || this.#pick(2) === 0)) {
      removes.push({ table: offer.schema.table, id: oldest });
      this.#offers.shift();
    } else {
      const id = this.#nextId;
      this.#nextId++;
      this.#offers.push(id);
      puts.push({ entity: offer, row: this.#offer(id, at) });
    }
    if (this.#pick(4) === 0) puts.push({ entity: oddment, row: this.#oddment() });
    const amount = 1 + this.#pick(100);
    this.#gold += amount;
    puts.push({ entity: purse, row: { id: rowId(1), gold: gold(this.#gold), isFrozen: this.#pick(2) === 0 } });
    const tx = this.#pick(3) === 0 ? null : transactionId({ holder: this.id, generation: 1, seq: this.#version });
    ledger.push(this.#line(at, 'sale', tx, amount, 'clearing'), this.#line(at, 'fee', tx, -1, 'burned'));
    return { ...this.#header(at), puts, removes, ledger };
  }

  #header(now: Instant) {
    return {
      shard: this.id,
      version: this.#version,
      cell: cellOf(this.id, limits.cellsPerRegion),
      epoch: this.epoch,
      now,
      nextId: this.#nextId,
      generation: 1,
      seq: this.#version,
      ledgerSeq: this.#ledgerSeq,
      wakeAt: this.#offers.length === 0 ? (0 as const) : instant(now + 1_000 * (1 + this.#pick(5))),
    };
  }

  #offer(id: RowId, at: Instant): AnyRow {
    const item = Json.of({ base: 'sword', name: 'Blade of Sämples', affixes: { strength: this.#pick(100), life: this.#pick(1_000) } });
    return { id, price: gold(this.#pick(1_000_000)), status: 'live', endsAt: this.#pick(5) === 0 ? null : instant(at + 60_000), item };
  }

  #oddment(): AnyRow {
    const data = this.#pick(2) === 0 ? null : Uint8Array.of(0, 255, this.#pick(256));
    const label = this.#pick(2) === 0 ? null : 'überall – 東京 🗡';
    return {
      id: rowId(1_000_000 + this.#pick(10)),
      label,
      count: this.#pick(2) === 0 ? Number.MIN_SAFE_INTEGER : this.#pick(1_000) - 500,
      data,
      note: '',
    };
  }

  #line(at: Instant, cause: string, tx: TransactionId | null, amount: number, from: 'clearing' | 'burned'): LedgerEntry {
    const seq = ++this.#ledgerSeq;
    const postings = [
      { place: 'wallet', asset: 'gold', amount },
      { place: from, asset: 'gold', amount: -amount },
      { place: 'stash', asset: `item:${this.id}-${seq}`, amount: 1 },
      ...(amount % 2 === 0 ? [] : ([{ place: 'completed', asset: 'gold', amount: 0, balance: gold(this.#gold * 1_000) }] as const)),
    ] as const;
    return { seq, at, cause, tx, balance: gold(this.#gold), postings };
  }
}

/** A change set as it is kept. */
export function asRaw(changes: ChangeSet): RawChangeSet {
  const writer = new RecordWriter(DEFINITION);
  writer.changeSet(changes);
  return new PlainRecordReader(writer.take(), DEFINITION).changeSet();
}

/** What a shard is after these turns, one applied after the other. */
export function replay(turns: readonly ChangeSet[]): RawChangeSet | undefined {
  return turns.map(asRaw).reduce<RawChangeSet | undefined>((image, changes) => applyChanges(image, changes), undefined);
}
