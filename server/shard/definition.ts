/** Compiles powerups into what a shard needs at run time, and checks that they fit together. */
import type { Entity } from './entity.ts';
import { failures } from './failures.ts';
import { installation } from './install.ts';
import { operations } from './operations.ts';
import type { AlarmHandler, Handler, Powerup, Upgrader } from './powerup.ts';
import { BALANCE_FOLLOWS, type RecordFormat } from './record/format.ts';
import type { AnyRow, EntitySchema } from './row.ts';

/** What all shards of a world are made of, and what their records are read by. */
export interface ShardDefinition extends RecordFormat {
  /** The version number of this program: rows that one of another number gave up on are tried once more. */
  readonly build: string;
  readonly powerups: readonly Powerup[];
  readonly entityByName: ReadonlyMap<string, Entity>;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly alarms: ReadonlyMap<string, AlarmHandler>;
  /** By falling priority, like all that follows it. */
  readonly guards: readonly NonNullable<Powerup['guard']>[];
  readonly tidies: readonly NonNullable<Powerup['tidy']>[];
  /** By the table that they start from. */
  readonly upgraders: ReadonlyMap<string, Upgrader>;
  /** The entities of the present version by their tables. */
  readonly entityByTable: ReadonlyMap<string, Entity>;
  /** Names of the entities of which the node mirrors the live rows. */
  readonly projected: readonly string[];
  /** Their tables, of all versions. */
  readonly projectedTables: ReadonlySet<string>;
}

/** What a world has besides its powerups. */
export interface ShardOptions {
  /** Where the ledger can say that things are, in the order of their numbers in records. */
  readonly places: readonly string[];
  readonly build?: string | undefined;
}

const UNNAMED_BUILD = 'unnamed';

/** Throws `Error` if two powerups claim the same name, entity, message, alarm or upgrade, an alarm has no handler, or there are too many places. */
export function defineShard(
  installed: readonly Powerup[],
  { places, build = UNNAMED_BUILD }: ShardOptions = { places: [] },
): ShardDefinition {
  if (places.length > BALANCE_FOLLOWS) throw new Error(`there are more than ${BALANCE_FOLLOWS} places`);
  const powerups = [installation, operations, failures, ...installed].toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0));
  const all = <T>(what: string, of: (powerup: Powerup) => readonly (readonly [string, T])[]): ReadonlyMap<string, T> =>
    unique(what, powerups.flatMap(of));
  all('powerup', (powerup) => [[powerup.name, powerup]]);
  const entities = all('entity', (powerup) => powerup.entities.map((entity) => [entity.name, entity]));
  const alarms = all('alarm', (powerup) => Object.entries(powerup.alarms ?? {}));
  const declared = unique('alarm attribute', [...entities.values()].flatMap(alarmsOf));
  for (const name of declared.keys()) if (!alarms.has(name)) throw new Error(`nobody handles the alarm ${name}`);
  for (const name of alarms.keys()) if (!declared.has(name)) throw new Error(`no attribute sets the alarm ${name}`);
  const upgraders = all('upgrade', (powerup) => (powerup.upgraders ?? []).map((one) => [one.from.table, one]));
  const schemas = new Map<string, EntitySchema>();
  for (const { from } of upgraders.values()) schemas.set(from.table, from);
  for (const { schema } of entities.values()) schemas.set(schema.table, schema);
  for (const { to } of upgraders.values())
    if (!schemas.has(to.table)) throw new Error(`an upgrade leads to ${to.table}, which nobody defines`);
  const projected = new Set(powerups.flatMap((powerup) => (powerup.projections ?? []).map((entity) => entity.name)));
  return {
    build,
    powerups,
    entityByName: entities,
    handlers: all('message', (powerup) => Object.entries(powerup.handlers ?? {})),
    alarms,
    guards: powerups.flatMap(({ guard }) => guard ?? []),
    tidies: powerups.flatMap(({ tidy }) => tidy ?? []),
    upgraders,
    schemas,
    places,
    entityByTable: new Map([...entities.values()].map((entity) => [entity.schema.table, entity])),
    projected: [...projected],
    projectedTables: new Set([...schemas.values()].filter(({ name }) => projected.has(name)).map(({ table }) => table)),
  };
}

/** The present row that an old one becomes, whose table it names. Throws `Error` if there is no way from there. Nothing is checked. */
export function upgradedRow(
  definition: ShardDefinition,
  fromTable: string,
  old: AnyRow,
): { readonly entity: string; readonly row: AnyRow } {
  let table = fromTable;
  let row = old;
  while (!definition.entityByTable.has(table)) {
    const step = definition.upgraders.get(table);
    if (step === undefined) throw new Error(`there is no upgrade from ${table}`);
    row = step.upgrade(row);
    table = step.to.table;
  }
  const schema = definition.schemas.get(table);
  if (schema === undefined) throw new Error(`the upgrade of ${fromTable} leads to ${table}, which nobody defines`);
  return { entity: schema.name, row };
}

function alarmsOf(entity: Entity): readonly (readonly [string, Entity])[] {
  return Object.values(entity.attributes).flatMap(({ alarm }) => (alarm === undefined ? [] : [[alarm, entity] as const]));
}

function unique<T>(what: string, entries: readonly (readonly [string, T])[]): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (const [name, value] of entries) {
    if (map.has(name)) throw new Error(`two powerups claim the ${what} ${name}`);
    map.set(name, value);
  }
  return map;
}
