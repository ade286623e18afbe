/**
 * Drives one shard in a test, as a cell and a journal would: every change set goes through its record in bytes, and a reload starts
 * from those bytes alone.
 *
 * Asserted at every turn: versions without gaps, time never back, each header as the shard's own.
 */
import { limits } from '#shared/limits.ts';
import { shardId } from '#shared/address.ts';
import { epoch } from '#shared/cell.ts';
import { instant, type Instant, operationId, type RowId, type ShardId } from '#shared/units.ts';
import { rowFromRaw, type ChangeSet, type RawChangeSet, type RawPut } from '../change-set.ts';
import { PLACES } from '#server/market/places.ts';
import { PlainRecordReader } from '../record/plain-reader.ts';
import { RecordWriter } from '../record/writer.ts';
import { defineShard, type ShardDefinition } from '../definition.ts';
import type { Attributes, Entity, RowOf } from '../entity.ts';
import type { AlarmMessage, Command, Issuer, Message } from '../message.ts';
import type { Powerup } from '../powerup.ts';
import { Shard, type TurnResult } from '../shard.ts';
import type { LedgerEntry } from '../ledger.ts';
import type { Schemas } from '../row.ts';

/** When tests begin: any instant far from zero. */
export const TEST_START: Instant = instant(1_700_000_000_000);
/** The shard of most tests. */
export const ADA: ShardId = shardId('ada', 'europe', 'softcore');
/** The other one. */
export const BOB: ShardId = shardId('bob', 'europe', 'softcore');

const CELL = 7;
const EPOCH = 1;

/** A command as the edge would make it. */
export function command(kind: string, body: unknown, op?: string, issuer: Issuer = 'client'): Command {
  return { kind, issuer, body, ...(op === undefined ? {} : { op: operationId(op) }) };
}

/** Owned by one test. */
export class ShardDriver {
  readonly id: ShardId;
  /** The platform's time; a test moves it. */
  now: Instant = TEST_START;
  readonly #records: RawChangeSet[] = [];
  #definition: ShardDefinition;
  #shard: Shard;

  constructor(powerups: readonly Powerup[], id: ShardId = ADA) {
    this.id = id;
    this.#definition = defineShard(powerups, { places: PLACES });
    this.#shard = Shard.create(this.#definition, id, CELL, epoch(EPOCH), this.now);
  }

  get shard(): Shard {
    return this.#shard;
  }

  get definition(): ShardDefinition {
    return this.#definition;
  }

  /** All change sets so far, each read back from its bytes. */
  get records(): readonly RawChangeSet[] {
    return this.#records;
  }

  /** All ledger lines so far. */
  get ledger(): readonly LedgerEntry[] {
    return this.#records.flatMap(({ ledger }) => ledger);
  }

  /** Hands one message to the shard. */
  send(message: Message): TurnResult {
    const result = this.#shard.turn(message, this.now);
    if (result.changes !== undefined) this.#keep(result.changes);
    return result;
  }

  /** Hands over a command. */
  command(kind: string, body: unknown = {}, op?: string, issuer?: Issuer): TurnResult {
    return this.send(command(kind, body, op, issuer));
  }

  /** Moves the time on. */
  wait(ms: number): void {
    this.now = instant(this.now + ms);
  }

  /** Lets the shard look at its alarms once, as a wake does. */
  wake(): readonly TurnResult[] {
    return this.#shard.dueAlarms(this.now).map((alarm: AlarmMessage) => this.send(alarm));
  }

  /** The rows of an entity, oldest first. */
  rows<A extends Attributes>(entity: Entity<A>): readonly RowOf<A>[] {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The shard's table of an entity has rows of that entity only.
    return this.#shard.rows(entity.name) as unknown as readonly RowOf<A>[];
  }

  /** The shard as its image would hold it: all records folded, in the plainest way. */
  image(): RawChangeSet {
    return foldRecords(this.#records);
  }

  /** Forgets the shard and loads it again from its bytes, with the present powerups or others. Returns what the upgrade wrote, if any. */
  reload(powerups?: readonly Powerup[], build?: string): ChangeSet | undefined {
    if (powerups !== undefined) this.#definition = defineShard(powerups, { places: PLACES, build });
    const { shard, upgrade } = Shard.load(this.#definition, this.image(), CELL, epoch(EPOCH));
    this.#shard = shard;
    if (upgrade !== undefined) this.#keep(upgrade);
    return upgrade;
  }

  /** Loads from an image of other origin, as if it had been this shard's. */
  loadFrom(image: RawChangeSet): ChangeSet | undefined {
    this.#records.splice(0, this.#records.length, image);
    return this.reload();
  }

  #keep(changes: ChangeSet): void {
    const last = this.#records.at(-1);
    assert(changes.version === (last?.version ?? 0) + 1, `version ${changes.version} follows ${last?.version}`);
    assert(changes.now >= (last?.now ?? 0), 'time ran back');
    assert(JSON.stringify(headerOf(changes)) === JSON.stringify(this.#shard.header), 'the header is not as the shard has it');
    const writer = new RecordWriter(this.#definition);
    writer.changeSet(changes);
    this.#records.push(new PlainRecordReader(writer.take(), this.#definition).changeSet());
  }
}

/** Any number of records as one image: the last header, the rows that are left in the order of their ids, the newest ledger lines. */
export function foldRecords(records: readonly RawChangeSet[]): RawChangeSet {
  const last = records.at(-1);
  if (last === undefined) throw new Error('there is no record to fold');
  const puts = new Map<string, RawPut>();
  for (const record of records) {
    for (const put of record.puts) puts.set(`${put.table}/${put.id}`, put);
    for (const { table, id } of record.removes) puts.delete(`${table}/${id}`);
  }
  const ledger = records.flatMap((record) => record.ledger).slice(-limits.ledgerLinesKept);
  return { ...last, puts: [...puts.values()].toSorted((a, b) => a.id - b.id), removes: [], ledger };
}

/** Every row of an image, by entity, as its table's schema says. */
export function rowsByEntity(image: RawChangeSet, schemas: Schemas): ReadonlyMap<string, readonly { readonly id: RowId }[]> {
  const rows = new Map<string, { readonly id: RowId }[]>();
  for (const put of image.puts) {
    const schema = schemas.get(put.table);
    if (schema === undefined) throw new Error(`nobody knows the table ${put.table}`);
    rows.set(schema.name, [...(rows.get(schema.name) ?? []), rowFromRaw(schema, put)]);
  }
  return rows;
}

function headerOf({ puts: _puts, removes: _removes, ledger: _ledger, ...header }: ChangeSet): unknown {
  const { shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt } = header;
  return { shard, version, cell, epoch, now, nextId, generation, seq, ledgerSeq, wakeAt };
}

function assert(condition: boolean, problem: string): void {
  if (!condition) throw new Error(problem);
}
