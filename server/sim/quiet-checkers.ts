/**
 * Checkers of the whole, when nothing is under way: what nodes, images and projections say is what the journals come to.
 *
 * Players and faults rest by then; alarms do not: a listing ends while a checker waits for an answer. The model hears of such a turn when
 * it is on the disk, the node only when the disk has said so, a moment later. So each look at a node goes through `whileStill`.
 */
import { listingId, marketOf, shardId } from '#shared/address.ts';
import { SORT_CHEAPEST } from '#shared/criteria.ts';
import { instant, type NodeName, type ShardId } from '#shared/units.ts';
import type { ShardNews } from '#server/cell/active-shard.ts';
import { rowFromRaw, type RawChangeSet } from '#server/shard/change-set.ts';
import { operation } from '#server/shard/operations.ts';
import { totalKey } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import type { ListingIndex } from '#server/listing-index/listing-index.ts';
import { listing } from '#server/market/listing/listing.ts';
import { decision, hold } from '#server/trade/entities.ts';
import type { GavelNode } from '#server/node.ts';
import { canonical, type Checker, type Complain, type Quiet } from './checker.ts';
import type { Model, ShardModel } from './model.ts';

/** The checkers of the quiet world. */
export const quietCheckers: readonly Checker[] = [
  {
    name: 'nothing stays in doubt',
    sentence: 'once faults have stopped, every hold, every undecided operation and every unsettled decision is resolved in bounded time',
    onQuiet: ({ model }, complain) => {
      for (const doubt of doubts(model)) complain(doubt);
    },
  },
  {
    name: 'journal replay is the live state',
    sentence: 'what a shard shows is what its durable turns come to',
    onQuiet: (quiet, complain) => forEachShard(quiet, complain, (look, shard) => checkLive(look, shard)),
  },
  {
    name: 'image and pending records are the shard',
    sentence: 'what is loaded from an image and the records after it is what all turns since the first come to',
    onQuiet: (quiet, complain) => forEachShard(quiet, complain, (look, shard) => checkLoaded(look, shard)),
  },
  {
    name: 'projections are the fold of the shards',
    sentence: 'the live rows, running totals, ledger lines and alarms of the node database are those of its shards',
    onQuiet: (quiet, complain) => forEachNode(quiet, complain, checkProjections),
  },
  {
    name: 'the index is the fold of the shards',
    sentence: 'the listing index has each live listing of its node once, as its shard has it, and no other',
    onQuiet: (quiet, complain) => forEachNode(quiet, complain, checkIndex),
  },
];

/** What is still in doubt, in words. */
export function doubts(model: Model): readonly string[] {
  const holds = model.allRows(hold).map(({ shard, row }) => `${shard} still holds ${row.gold} for ${row.tx}`);
  const decisions = model.allRows(decision).filter(({ row }) => row.state !== 'settled');
  const operations = model.allRows(operation).filter(({ row }) => row.state === 'open');
  return [
    ...holds,
    ...decisions.map(({ shard, row }) => `${shard} still tells ${row.tx} that it is ${row.state}`),
    ...operations.map(({ shard, row }) => `${shard} has not finished ${row.key}`),
  ];
}

/** Searches of a node at rest that may find the index behind: each has waited. */
const INDEX_TRIES = 10;

/** One look at one node. */
interface Look {
  readonly model: Model;
  readonly node: GavelNode;
  readonly index: ListingIndex;
  readonly name: NodeName;
  readonly complain: Complain;
}

async function forEachNode(quiet: Quiet, complain: Complain, check: (look: Look) => void | Promise<void>): Promise<void> {
  for (const { name } of quiet.nodes) await whileStill(quiet, name, complain, check);
}

async function forEachShard(quiet: Quiet, complain: Complain, check: (look: Look, shard: ShardModel) => Promise<void>): Promise<void> {
  for (const shard of quiet.model.shards.values()) await whileStill(quiet, shard.node, complain, (look) => check(look, shard));
}

/** Looks at a node before it is said that it does not come to rest. Between two of them the disk makes a step, and a turn on it is confirmed after one. */
const LOOKS_MAX = 100;
/** A shard that was never created. */
const NOBODY = shardId('nobody', 'nowhere', 'softcore');
/** A market without a listing. */
const NOWHERE = marketOf(NOBODY);

/**
 * Looks at a node until it stood still meanwhile: when the look began, the last turn of its journal was confirmed to it, and when it ended,
 * that was still the last one. Then everything that was read is of that turn, as the model is, and what was found counts. Any other look
 * mixed two moments: what it found is dropped, and so is that it found nothing.
 */
async function whileStill({ model, nodes }: Quiet, name: NodeName, complain: Complain, check: (look: Look) => void | Promise<void>) {
  const { node, index } = nodes.find((each) => each.name === name) ?? {};
  if (node === undefined || index === undefined) return;
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    const position = model.position(name);
    if (node.persister.durable === position) {
      const found: string[] = [];
      await check({ model, node, index, name, complain: (detail) => found.push(detail) });
      if (model.position(name) === position) return found.forEach(complain);
    }
    // Time passes only while the disk is asked for something. Of all questions this one leaves what is looked at as it is: nothing is folded.
    await node.persister.load(NOBODY);
  }
  complain(
    `${name} does not come to rest: turn ${node.persister.durable} is confirmed to it, and its journal is at ${model.position(name)}`,
  );
}

async function checkLive({ model, node, complain }: Look, shard: ShardModel): Promise<void> {
  const news: ShardNews[] = [];
  const listener = (one: ShardNews): void => void news.push(one);
  const reply = await node.subscribe(shard.id, listener);
  node.unsubscribe(shard.id, listener);
  const first = news[0];
  if (first?.kind !== 'snapshot') return complain(`${shard.id} cannot be seen: ${JSON.stringify(reply)}`);
  if (canonical(first.header) !== canonical(shard.header)) {
    complain(`${shard.id} stands at ${JSON.stringify(first.header)}, and its journal at ${JSON.stringify(shard.header)}`);
  }
  for (const entity of model.definition.entityByName.keys()) {
    compareRows(`${shard.id} ${entity}`, first.rows(entity), [...(shard.rowsByEntity.get(entity)?.values() ?? [])], complain);
  }
}

async function checkLoaded({ model, node, complain }: Look, shard: ShardModel): Promise<void> {
  const loaded = await node.persister.load(shard.id);
  if (loaded.kind !== 'found') return complain(`${shard.id} is not on the disk`);
  const { puts, removes, ledger, ...header } = loaded.shard;
  if (canonical(header) !== canonical(shard.header))
    complain(`${shard.id} is loaded as ${JSON.stringify(header)}, not ${JSON.stringify(shard.header)}`);
  if (removes.length > 0) complain(`${shard.id} is loaded with removes`);
  const rowsByEntity = rowsOf(model, puts);
  for (const entity of model.definition.entityByName.keys()) {
    compareRows(
      `${shard.id} ${entity} on disk`,
      rowsByEntity.get(entity) ?? [],
      [...(shard.rowsByEntity.get(entity)?.values() ?? [])],
      complain,
    );
  }
  const newest = shard.ledger.slice(-ledger.length);
  if (ledger.length > 0 && canonical(ledger) !== canonical(newest)) complain(`the newest ledger lines of ${shard.id} on disk are others`);
}

function rowsOf({ definition }: Model, puts: RawChangeSet['puts']): ReadonlyMap<string, readonly AnyRow[]> {
  const rowsByEntity = new Map<string, AnyRow[]>();
  for (const put of puts) {
    const schema = definition.schemas.get(put.table);
    if (schema === undefined) continue;
    const rows = rowsByEntity.get(schema.name) ?? [];
    rows.push(rowFromRaw(schema, put));
    rowsByEntity.set(schema.name, rows);
  }
  return rowsByEntity;
}

function compareRows(what: string, actual: readonly AnyRow[], expected: readonly AnyRow[], complain: Complain): void {
  const inOrder = (rows: readonly AnyRow[]): readonly string[] => rows.toSorted((a, b) => a.id - b.id).map(canonical);
  const [are, mustBe] = [inOrder(actual), inOrder(expected)];
  const surplus = are.find((row) => !mustBe.includes(row));
  const missing = mustBe.find((row) => !are.includes(row));
  if (surplus !== undefined)
    complain(`${what} has ${surplus}, which is not in its journal${missing === undefined ? '' : `; that has ${missing}`}`);
  else if (missing !== undefined) complain(`${what} lacks ${missing}`);
  else if (are.length !== mustBe.length) complain(`${what} has ${are.length} rows in place of ${mustBe.length}`);
}

async function checkProjections(look: Look): Promise<void> {
  const { model, node, name, complain } = look;
  const own = [...model.shards.values()].filter((shard) => shard.node === name);
  for (const entity of model.definition.projected) {
    const { position, rows } = await node.persister.projection(entity);
    if (position !== model.position(name)) complain(`the projection of ${name} is of position ${position}, not ${model.position(name)}`);
    const keyed = Array.from(rows, (put) => {
      const schema = model.definition.schemas.get(put.table);
      return { shard: put.shard, row: schema === undefined ? undefined : rowFromRaw(schema, put) };
    });
    const expected = own.flatMap((shard) => [...(shard.rowsByEntity.get(entity)?.values() ?? [])].map((row) => ({ shard: shard.id, row })));
    if (sorted(keyed) !== sorted(expected))
      complain(`${name} mirrors ${rows.length} rows of ${entity}, and its shards have ${expected.length}, or others`);
  }
  await checkTotals(look, own);
  for (const shard of own) {
    const lines = await node.persister.history(shard.id, Number.MAX_SAFE_INTEGER, shard.ledger.length + 1);
    if (canonical(lines.toReversed()) !== canonical(shard.ledger)) {
      complain(`the history of ${shard.id} has ${lines.length} lines, and its turns wrote ${shard.ledger.length}, or others`);
    }
  }
  const listed = await node.persister.due(instant(Number.MAX_SAFE_INTEGER), own.length + 1);
  const due = new Set(listed.map(({ shard }) => shard));
  const waking = own.filter(({ header }) => header.wakeAt !== 0);
  for (const { id } of waking) if (!due.has(id)) complain(`nobody will wake ${id}`);
  if (due.size !== waking.length) complain(`${name} would wake ${due.size} shards, and ${waking.length} have alarms`);
}

async function checkTotals({ node, name, complain }: Look, own: readonly ShardModel[]): Promise<void> {
  const expected = new Map<string, bigint>();
  for (const { id, ledger } of own) {
    for (const posting of ledger.flatMap(({ postings }) => postings)) {
      const key = totalKey(id, posting);
      expected.set(key, (expected.get(key) ?? 0n) + BigInt(posting.amount));
    }
  }
  const { totals } = await node.persister.totals();
  const actual = new Map(totals.map(({ key, amount }) => [key, amount]));
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    const [is, mustBe] = [actual.get(key) ?? 0n, expected.get(key) ?? 0n];
    if (is !== mustBe) complain(`${name} totals ${is} of ${key}, and its ledger sums to ${mustBe}`);
  }
}

/** A search sees to it that the index has what is durable; then its rows are looked at where they are. */
async function checkIndex({ model, node, index, name, complain }: Look): Promise<void> {
  const query = { market: NOWHERE, criteria: {}, sort: SORT_CHEAPEST, limit: 1, now: node.platform.clock.now() };
  for (let tries = 1; ; tries++) {
    const found = await node.index.search(query, { atLeast: node.durable });
    if (found.kind === 'found' && found.lagMs === 0) break;
    if (tries === INDEX_TRIES) return complain(`the index of ${name} does not come to know what is durable`);
  }
  const live = model.allRows(listing).filter(({ shard }) => model.shards.get(shard)?.node === name);
  const { rows } = index.stats();
  if (rows !== live.length) complain(`the index of ${name} has ${rows} rows, and its shards have ${live.length} listings`);
  for (const { shard, row } of live) {
    const indexed = index.get(listingId(row.id, shard));
    const isSameListing = indexed?.buyout === row.buyout && indexed.endsAt === row.endsAt && indexed.item.id === row.item.value.id;
    if (!isSameListing) complain(`the index of ${name} has not the listing ${row.id} of ${shard} as it is`);
  }
}

function sorted(rows: readonly { readonly shard: ShardId; readonly row: AnyRow | undefined }[]): string {
  return rows.map(canonical).toSorted().join('\n');
}
