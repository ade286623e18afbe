/**
 * Checkers of single turns: rows and ledger agree, and the counters of a shard do what they must.
 *
 * What a row holds and which attributes are alarms is asked of the features. That none forgets to
 * say so is seen all the same: places come from the record format, so what a ledger line moves to a
 * place must be in some row, and `features.test.ts` looks at the entities.
 */
import type { ProtocolPart } from '#shared/protocol/part.ts';
import { PROTOCOL_PARTS } from '#shared/protocol/parts.ts';
import { FIRST_ROW_ID, instant, NO_VERSION, type NodeName, type Position } from '#shared/units.ts';
import type { ShardHeader } from '#server/shard/change-set.ts';
import type { Feature, Holding } from '#server/market/feature.ts';
import type { Entity } from '#server/shard/entity.ts';
import { failure } from '#server/shard/failures.ts';
import { operation } from '#server/shard/operations.ts';
import { operationPack, playerOperationPack } from '#server/shard/operation-pack.ts';
import { unbalancedAsset, type LedgerEntry, type Posting } from '#server/shard/ledger.ts';
import type { AnyRow } from '#server/shard/row.ts';
import { hold } from '#server/trade/entities.ts';
import { balanceAfter, PLACES, type Place } from '#server/market/places.ts';
import { checkRules, isSame, whereOf, type Checker, type Complain, type CheckerRule } from './checker.ts';
import { rowsOfShard, stepsOf, type RowDelta, type ShardModel } from './model.ts';

/**
 * Places that no row shows: the world's edge, and what is between two shards. All others are some
 * player's.
 */
const OUTSIDE: ReadonlySet<string> = new Set<Place>(['clearing', 'minted', 'burned']);
const ROW_PLACES: ReadonlySet<string> = new Set(PLACES.filter((place) => !OUTSIDE.has(place)));

/** What a row holds, by the feature that has its entity. */
export type HoldingsOf = (entity: string, row: AnyRow | undefined) => readonly Holding[];

/** The holdings of all features; a row of no such entity holds nothing. */
export function holdingsOfAll(features: readonly Feature[]): HoldingsOf {
  // Several features may speak of one entity: each kind of trade knows what its own holds hold.
  const byEntity = Map.groupBy(
    features.flatMap(({ holdings = [] }) => holdings),
    ({ entity }) => entity.name,
  );
  return (entity, row) => (row === undefined ? [] : (byEntity.get(entity)?.flatMap(({ of }) => of(row)) ?? []));
}

/** New ones for one simulation. */
export function turnCheckers(features: readonly Feature[]): readonly Checker[] {
  const holdingsOf = holdingsOfAll(features);
  return [
    ledgerBalances,
    causesAreDeclared,
    rowsFollowLedger(holdingsOf),
    linesTellTheTruth(),
    worldConserved(holdingsOf),
    itemInOnePlace(holdingsOf),
    counters,
    nodeOrder(),
    wakeIsEarliestAlarm(features.flatMap(({ entities }) => entities)),
    nothingFails,
    answersStand,
  ];
}

const ledgerBalances: Checker = {
  name: 'T7 the ledger balances',
  sentence: "every turn's ledger lines sum to zero per currency and per item",
  onTurn: (turn, complain) => {
    for (const { cause, postings } of turn.changes.ledger) {
      const asset = unbalancedAsset(postings);
      if (asset !== undefined) complain(`${whereOf(turn)}: ${cause} does not sum to zero in ${asset}`);
    }
  },
};

const CAUSES: ReadonlySet<string> = new Set(PROTOCOL_PARTS.flatMap((part: ProtocolPart) => part.causes ?? []));

const causesAreDeclared: Checker = {
  name: 'each line has a cause',
  sentence: 'the cause of a ledger line is one that the protocol tells clients of',
  onTurn: (turn, complain) => {
    for (const { seq, cause } of turn.changes.ledger) {
      if (!CAUSES.has(cause)) complain(`${whereOf(turn)}: line ${seq} has the cause ${cause}, which the protocol does not know`);
    }
  },
};

/** What the rows of a turn gain and lose. */
function* rowMovements(holdingsOf: HoldingsOf, deltas: readonly RowDelta[]): Generator<Holding> {
  for (const { entity, before, after } of deltas) {
    for (const { place, asset, amount } of holdingsOf(entity, before)) yield { place, asset, amount: -amount };
    yield* holdingsOf(entity, after);
  }
}

/** Exported for its test: what it notices of a feature that forgets what its rows hold. */
export function rowsFollowLedger(holdingsOf: HoldingsOf): Checker {
  return {
    name: 'T7 rows follow the ledger',
    sentence: 'what a turn does to the rows is exactly what its ledger lines say, place by place',
    onTurn: (turn, complain) => {
      const net = new Map<string, number>();
      const add = ({ place, asset }: Pick<Posting, 'place' | 'asset'>, amount: number): void => {
        const key = `${asset} at ${place}`;
        net.set(key, (net.get(key) ?? 0) + amount);
      };
      for (const moved of rowMovements(holdingsOf, turn.deltas)) add(moved, moved.amount);
      for (const posting of turn.changes.ledger.flatMap(({ postings }) => postings)) {
        if (ROW_PLACES.has(posting.place)) add(posting, -posting.amount);
      }
      for (const [key, amount] of net) if (amount !== 0) complain(`${whereOf(turn)}: rows and ledger differ by ${amount} of ${key}`);
    },
  };
}

function linesTellTheTruth(): Checker {
  const goldByShard = new Map<string, Map<string, number>>();
  return {
    name: 'each line tells when and what is left',
    sentence:
      "a ledger line is dated by its turn, and tells what gold is left right after it at each of its player's places that it is about",
    onTurn: (turn, complain) => {
      const { shard, now, ledger } = turn.changes;
      // The sum of all lines before; `rowsFollowLedger` holds it against the rows.
      const goldByPlace = goldByShard.get(shard) ?? new Map<string, number>();
      goldByShard.set(shard, goldByPlace);
      for (const entry of ledger) {
        const say = (detail: string): void => complain(`${whereOf(turn)}: line ${entry.seq}, ${entry.cause}, ${detail}`);
        if (entry.at !== now) say(`is dated ${entry.at}, and its turn ${now}`);
        checkBalances(goldByPlace, entry, say);
      }
    },
  };
}

function checkBalances(goldByPlace: Map<string, number>, entry: LedgerEntry, say: Complain): void {
  const ofPlayer = entry.postings.filter(({ place, asset }) => asset === 'gold' && ROW_PLACES.has(place));
  for (const { place, amount } of ofPlayer) goldByPlace.set(place, (goldByPlace.get(place) ?? 0) + amount);
  const inWallet = goldByPlace.get('wallet') ?? 0;
  if (entry.balance !== inWallet) say(`says that ${entry.balance} is left, and it is ${inWallet}`);
  for (const posting of ofPlayer) {
    const [told, left] = [balanceAfter(entry, posting), goldByPlace.get(posting.place)];
    if (told !== left) say(`says that ${told} is left at ${posting.place}, and it is ${left}`);
  }
}

function worldConserved(holdingsOf: HoldingsOf): Checker {
  const sumByAsset = new Map<string, bigint>();
  return {
    name: 'T7 the world is conserved',
    sentence:
      'gold and goods of all rows, and what is between two shards, are what was minted less what was burned, on every prefix of the journals',
    onTurn: (turn, complain) => {
      const touched = new Set<string>();
      const add = ({ asset, amount }: Pick<Posting, 'asset' | 'amount'>): void => {
        touched.add(asset);
        sumByAsset.set(asset, (sumByAsset.get(asset) ?? 0n) + BigInt(amount));
      };
      for (const moved of rowMovements(holdingsOf, turn.deltas)) add(moved);
      for (const posting of turn.changes.ledger.flatMap(({ postings }) => postings)) if (OUTSIDE.has(posting.place)) add(posting);
      for (const asset of touched) {
        const sum = sumByAsset.get(asset) ?? 0n;
        if (sum !== 0n) complain(`after ${whereOf(turn)} the world has ${sum} too much of ${asset}`);
      }
    },
  };
}

/**
 * Exported for its test. What is held is promised: from the decision until the holder hears of it,
 * the item is in the hold and already with the decider, if that took it from this very trade.
 */
export function itemInOnePlace(holdingsOf: HoldingsOf): Checker {
  const rowByItem = new Map<string, string>();
  const txByHold = new Map<string, unknown>();
  const isTaken = (ledger: readonly LedgerEntry[], from: string, asset: string): boolean =>
    txByHold.has(from) &&
    ledger.some(({ tx, postings }) => {
      return tx === txByHold.get(from) && postings.some((each) => each.place === 'clearing' && each.asset === asset && each.amount < 0);
    });
  const itemsOf = (entity: string, row: AnyRow | undefined): readonly string[] =>
    holdingsOf(entity, row).flatMap(({ asset }) => (asset.startsWith('item:') ? [asset] : []));
  return {
    name: 'T8 each item is in one place',
    sentence: 'every item is in exactly one row of one shard, or between the two shards of one trade',
    onTurn: (turn, complain) => {
      const rowOf = ({ entity, id }: RowDelta): string => `${turn.changes.shard} ${entity} ${id}`;
      for (const { entity, id, before, after } of turn.deltas) {
        const isKept = before !== undefined && after !== undefined;
        if (isKept && !isSame(itemsOf(entity, before), itemsOf(entity, after)))
          complain(`${whereOf(turn)}: the goods of row ${id} of ${entity} were changed in place`);
      }
      // A row that is kept moves nothing: a hold whose offer is repeated does not take back what it has given.
      const moves = turn.deltas.filter(({ before, after }) => before === undefined || after === undefined);
      for (const move of moves)
        for (const asset of itemsOf(move.entity, move.before)) if (rowByItem.get(asset) === rowOf(move)) rowByItem.delete(asset);
      for (const move of moves) {
        const here = rowOf(move);
        if (move.entity === hold.name && move.after !== undefined) txByHold.set(here, move.after['tx']);
        for (const asset of itemsOf(move.entity, move.after)) {
          const other = rowByItem.get(asset);
          if (other !== undefined && !isTaken(turn.changes.ledger, other, asset))
            complain(`${whereOf(turn)}: ${asset} is in ${here} and in ${other}`);
          rowByItem.set(asset, here);
        }
      }
    },
  };
}

type Counters = Pick<ShardHeader, 'version' | 'now' | 'nextId' | 'generation' | 'seq' | 'ledgerSeq'>;

/** The counters of a shard that has had no turn. */
const NO_TURN: Counters = { version: NO_VERSION, now: instant(0), nextId: FIRST_ROW_ID, generation: 0, seq: 0, ledgerSeq: 0 };

/** The counters of a shard before a turn and after it. */
interface Step {
  readonly was: Counters;
  readonly is: Counters;
}

const COUNTER_RULES: readonly CheckerRule<Step>[] = [
  { isBroken: ({ was, is }) => is.version !== was.version + 1, detail: ({ was }) => `follows version ${was.version}` },
  { isBroken: ({ was, is }) => is.now < was.now, detail: ({ was, is }) => `has a time that runs back from ${was.now} to ${is.now}` },
  { isBroken: ({ was, is }) => is.nextId < was.nextId, detail: () => 'has row ids that run back' },
  {
    isBroken: ({ was, is }) => is.generation < was.generation || is.seq < was.seq,
    detail: () => 'has transaction numbers that run back',
  },
];

const ROW_ID_RULES: readonly CheckerRule<Step & RowDelta>[] = [
  {
    isBroken: ({ was, id, before, after }) => before === undefined && after !== undefined && id < was.nextId,
    detail: ({ id, entity }) => `gives the row id ${id} of ${entity} again`,
  },
  {
    isBroken: ({ was, id, before, after }) => before === undefined && after === undefined && id < was.nextId,
    detail: ({ id, entity }) => `removes the row ${id} of ${entity}, which is not there`,
  },
  { isBroken: ({ is, id }) => id >= is.nextId, detail: ({ id, entity }) => `has the row id ${id} of ${entity}, which was never given` },
];

const counters: Checker = {
  name: 'counters only grow',
  sentence:
    "a shard's versions and ledger numbers have no gaps, its time, row ids and transaction numbers never run back, and no row id is given twice",
  onTurn: (turn, complain) => {
    const { changes, previous = NO_TURN, deltas } = turn;
    const say = (detail: string): void => complain(`${whereOf(turn)} ${detail}`);
    const step: Step = { was: previous, is: changes };
    checkRules(COUNTER_RULES, step, say);
    for (const delta of deltas) checkRules(ROW_ID_RULES, { ...step, ...delta }, say);
    const seqs = changes.ledger.map(({ seq }) => seq);
    const misplaced = seqs.findIndex((seq, index) => seq !== previous.ledgerSeq + 1 + index);
    if (misplaced >= 0) say(`has ledger line ${seqs[misplaced]} where ${previous.ledgerSeq + 1 + misplaced} must stand`);
    const last = previous.ledgerSeq + seqs.length;
    if (last !== changes.ledgerSeq) say(`has ledger lines to ${last}, and the counter says ${changes.ledgerSeq}`);
  },
};

function nodeOrder(): Checker {
  const positionByNode = new Map<NodeName, Position>();
  return {
    name: 'journals have no gaps',
    sentence: "the positions of a node's journal have no gaps, and each shard is in one journal only",
    onTurn: ({ node, position, shard }, complain) => {
      const last = positionByNode.get(node) ?? 0;
      if (position !== last + 1) complain(`position ${position} of ${node} follows ${last}`);
      positionByNode.set(node, position);
      if (shard.node !== node) complain(`${shard.id} is in the journals of ${shard.node} and ${node}`);
    },
  };
}

function wakeIsEarliestAlarm(entities: readonly Entity[]): Checker {
  const timed = entities.filter(({ alarms }) => alarms.length > 0);
  return {
    name: 'no alarm is lost',
    sentence: 'each turn writes down the earliest alarm of any row of its shard',
    onTurn: (turn, complain) => {
      const { changes, shard } = turn;
      if (rowsOfShard(shard, failure).length > 0) return;
      const earliest = earliestAlarm(timed, shard);
      if (changes.wakeAt !== earliest) complain(`${whereOf(turn)} wakes at ${changes.wakeAt}, and its earliest alarm is ${earliest}`);
    },
  };
}

function earliestAlarm(timed: readonly Entity[], shard: ShardModel): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { name, alarms } of timed) {
    for (const row of shard.rowsByEntity.get(name)?.values() ?? []) {
      for (const { read } of alarms) earliest = Math.min(earliest, Number(read(row) ?? Number.POSITIVE_INFINITY));
    }
  }
  return earliest === Number.POSITIVE_INFINITY ? 0 : earliest;
}

const nothingFails: Checker = {
  name: 'T6 no shard is quarantined and no turn fails',
  sentence: 'no handler throws, and no shard ever hears of an outcome that it cannot know',
  onTurn: (turn, complain) => {
    for (const { row } of stepsOf(turn, failure)) {
      if (row !== undefined) complain(`${whereOf(turn)} notes the failure ${row.key}: ${row.error}`);
    }
  },
};

const answersStand: Checker = {
  name: 'same op, same answer',
  sentence: 'the answer of an operation is never changed, an unfinished operation is never forgotten, and what is packed is all there',
  onTurn: (turn, complain) => {
    const where = whereOf(turn);
    const steps = stepsOf(turn, operation);
    // Simulations are far shorter than the time for which operations are remembered.
    for (const [state, entity] of [
      ['kept', operationPack],
      ['answered', playerOperationPack],
    ] as const) {
      const gone = steps.filter(({ old, row }) => row === undefined && old?.state === state).length;
      const packs = stepsOf(turn, entity).flatMap(({ old, row }) => (old === undefined && row !== undefined ? [row] : []));
      const packed = packs.reduce((sum, { hashes, digests }) => sum + Math.min(hashes.length, digests.length) / 8, 0);
      if (gone !== packed) complain(`${where} removes ${gone} operations that are ${state}, and packs ${packed}`);
    }
    for (const { old, row } of steps) {
      if (old === undefined) continue;
      const isOpen = old.state === 'open';
      if (row === undefined) {
        if (isOpen) complain(`${where} forgets the unfinished operation ${old.key}`);
        continue;
      }
      if (row.key !== old.key || row.digest !== old.digest) complain(`${where} makes the operation ${old.key} another one`);
      if (!isOpen && row.reply !== null && !isSame(row.reply, old.reply)) complain(`${where} changes the answer of ${old.key}`);
      if (!isOpen && row.state === 'open') complain(`${where} opens the operation ${old.key} again`);
    }
  },
};
