/** Checkers of single turns: rows and ledger agree, and the counters of a shard do what they must. */
import { balanceAfter, unbalancedAsset } from '#server/shard/change-set.ts';
import { completed } from '#server/market/completed/completed.ts';
import { wallet } from '#server/market/goods/wallet.ts';
import { failure } from '#server/shard/failures.ts';
import { operation } from '#server/shard/operations.ts';
import { operationPack } from '#server/shard/operation-pack.ts';
import { hold } from '#server/trade/entities.ts';
import { isSame, type Checker } from './checker.ts';
import { rowsOfShard, type DurableTurn, type RowDelta, type ShardModel } from './model.ts';
import { holdingsOf, rowAs } from './row-decode.ts';

/** Places that rows show. The others are only in the ledger. */
const ROW_PLACES: ReadonlySet<string> = new Set(['wallet', 'stash', 'hold', 'escrow', 'listed', 'completed']);

/** New ones for one simulation. */
export function turnCheckers(): readonly Checker[] {
  return [
    ledgerBalances,
    rowsFollowLedger,
    linesTellTheTruth,
    worldConserved(),
    itemInOnePlace(),
    walletParts,
    counters,
    nodeOrder(),
    wakeIsEarliestAlarm,
    nothingFails,
    answersStand,
  ];
}

const ledgerBalances: Checker = {
  name: 'T7 the ledger balances',
  sentence: "every turn's ledger lines sum to zero per currency and per item",
  onTurn: ({ changes }, complain) => {
    for (const { cause, postings } of changes.ledger) {
      const asset = unbalancedAsset(postings);
      if (asset !== undefined) complain(`${changes.shard} version ${changes.version}: ${cause} does not sum to zero in ${asset}`);
    }
  },
};

const rowsFollowLedger: Checker = {
  name: 'T7 rows follow the ledger',
  sentence: 'what a turn does to the rows is exactly what its ledger lines say, place by place',
  onTurn: ({ changes, deltas }, complain) => {
    const net = new Map<string, number>();
    const add = (place: string, asset: string, amount: number): void => {
      const key = `${place} ${asset}`;
      net.set(key, (net.get(key) ?? 0) + amount);
    };
    for (const { entity, before, after } of deltas) {
      if (before !== undefined) for (const { place, asset, amount } of holdingsOf(entity, before)) add(place, asset, -amount);
      if (after !== undefined) for (const { place, asset, amount } of holdingsOf(entity, after)) add(place, asset, amount);
    }
    for (const { postings } of changes.ledger) {
      for (const { place, asset, amount } of postings) if (ROW_PLACES.has(place)) add(place, asset, -amount);
    }
    for (const [key, amount] of net) {
      if (amount !== 0) complain(`${changes.shard} version ${changes.version}: rows and ledger differ by ${amount} of ${key}`);
    }
  },
};

/** The gold of a player that a wallet shows, by the ledger's names of the places. */
const GOLD_PLACES: ReadonlySet<string> = new Set(['wallet', 'hold', 'completed']);

const linesTellTheTruth: Checker = {
  name: 'each line tells when and what is left',
  sentence:
    "a ledger line is dated by its turn, and tells what gold is left right after it at each of its player's places that it is about",
  onTurn: ({ changes, deltas, shard }, complain) => {
    if (changes.ledger.length === 0) return;
    const where = `${changes.shard} version ${changes.version}`;
    const goldByPlace = goldBefore(shard, deltas);
    for (const entry of changes.ledger) {
      const { seq, at, cause, balance, postings } = entry;
      const line = `${where}: line ${seq}, ${cause},`;
      if (at !== changes.now) complain(`${line} is dated ${at}, and its turn ${changes.now}`);
      const ofPlayer = postings.filter(({ place, asset }) => asset === 'gold' && GOLD_PLACES.has(place));
      for (const { place, amount } of ofPlayer) goldByPlace.set(place, (goldByPlace.get(place) ?? 0) + amount);
      const inWallet = goldByPlace.get('wallet') ?? 0;
      if (balance !== inWallet) complain(`${line} says that ${balance} is left, and it is ${inWallet}`);
      for (const posting of ofPlayer) {
        const [told, left] = [balanceAfter(entry, posting), goldByPlace.get(posting.place)];
        if (told !== left) complain(`${line} says that ${told} is left at ${posting.place}, and it is ${left}`);
      }
    }
  },
};

/** The gold in each place of a player before the turn. */
function goldBefore(shard: ShardModel, deltas: readonly RowDelta[]): Map<string, number> {
  const changed = deltas.find(({ entity }) => entity === wallet.name);
  const purse = changed === undefined ? rowsOfShard(shard, wallet)[0] : changed.before;
  const holdings = purse === undefined ? [] : holdingsOf(wallet.name, purse);
  return new Map(holdings.map(({ place, amount }) => [place, amount]));
}

function worldConserved(): Checker {
  const sumByAsset = new Map<string, bigint>();
  return {
    name: 'T7 the world is conserved',
    sentence:
      'gold and goods of all rows, and what is between two shards, are what was minted less what was burned, on every prefix of the journals',
    onTurn: ({ changes, deltas }, complain) => {
      const touched = new Set<string>();
      const add = (asset: string, amount: number): void => {
        touched.add(asset);
        sumByAsset.set(asset, (sumByAsset.get(asset) ?? 0n) + BigInt(amount));
      };
      for (const { entity, before, after } of deltas) {
        if (before !== undefined) for (const { asset, amount } of holdingsOf(entity, before)) add(asset, -amount);
        if (after !== undefined) for (const { asset, amount } of holdingsOf(entity, after)) add(asset, amount);
      }
      for (const { postings } of changes.ledger) {
        for (const { place, asset, amount } of postings) if (!ROW_PLACES.has(place)) add(asset, amount);
      }
      for (const asset of touched) {
        const sum = sumByAsset.get(asset) ?? 0n;
        if (sum !== 0n) complain(`after ${changes.shard} version ${changes.version} the world has ${sum} too much of ${asset}`);
      }
    },
  };
}

function itemInOnePlace(): Checker {
  const placeByItem = new Map<string, string>();
  return {
    name: 'T8 each item is in one place',
    sentence: 'every item is in exactly one row of one shard, or between the two shards of one trade',
    onTurn: ({ changes, deltas }, complain) => {
      const where = `${changes.shard} version ${changes.version}`;
      for (const { entity, id, before, after } of deltas) {
        for (const { asset } of before === undefined ? [] : holdingsOf(entity, before)) {
          if (asset.startsWith('item:') && placeByItem.get(asset) === `${changes.shard} ${entity} ${id}`) placeByItem.delete(asset);
        }
        if (
          after !== undefined &&
          before !== undefined &&
          entity !== 'wallet' &&
          !isSame(holdingsOf(entity, before), holdingsOf(entity, after))
        ) {
          if (entity !== 'commodity') complain(`${where}: the goods of row ${id} of ${entity} were changed in place`);
        }
      }
      for (const { entity, id, after } of deltas) {
        for (const { asset } of after === undefined ? [] : holdingsOf(entity, after)) {
          if (!asset.startsWith('item:')) continue;
          const other = placeByItem.get(asset);
          const here = `${changes.shard} ${entity} ${id}`;
          if (other !== undefined && other !== here) complain(`${where}: ${asset} is in ${here} and in ${other}`);
          placeByItem.set(asset, here);
        }
      }
    },
  };
}

const walletParts: Checker = {
  name: 'the wallet adds up',
  sentence:
    'held gold is the sum of the holds, unclaimed gold is the sum of the completed entries, and nothing is negative or above 2^53 - 1',
  onTurn: ({ changes, shard }, complain) => {
    const purse = rowsOfShard(shard, wallet)[0];
    if (purse === undefined) return complain(`${shard.id} has no wallet`);
    const held = rowsOfShard(shard, hold).reduce((sum, row) => sum + row.gold, 0);
    const unclaimed = rowsOfShard(shard, completed).reduce((sum, row) => sum + (row.gold ?? 0), 0);
    const where = `${shard.id} version ${changes.version}`;
    if (purse.held !== held) complain(`${where}: ${purse.held} is held, and the holds sum to ${held}`);
    if (purse.unclaimed !== unclaimed) complain(`${where}: ${purse.unclaimed} is unclaimed, and the entries sum to ${unclaimed}`);
    const parts = [purse.gold, purse.held, purse.unclaimed];
    if (parts.some((part) => part < 0)) complain(`${where}: a part of the wallet is negative: ${parts.join(', ')}`);
    if (!Number.isSafeInteger(parts.reduce((sum, part) => sum + part, 0))) complain(`${where}: the wallet holds more than 2^53 - 1`);
  },
};

const counters: Checker = {
  name: 'counters only grow',
  sentence:
    "a shard's versions and ledger numbers have no gaps, its time, row ids and transaction numbers never run back, and no row id is given twice",
  onTurn: ({ changes, previous, deltas }, complain) => {
    const where = `${changes.shard} version ${changes.version}`;
    if (changes.version !== (previous?.version ?? 0) + 1) complain(`${where} follows version ${previous?.version ?? 0}`);
    if (previous !== undefined) {
      if (changes.now < previous.now) complain(`${where}: time runs back from ${previous.now} to ${changes.now}`);
      if (changes.nextId < previous.nextId) complain(`${where}: row ids run back`);
      if (changes.generation < previous.generation || changes.seq < previous.seq) complain(`${where}: transaction numbers run back`);
    }
    const firstFree = previous?.nextId ?? 1;
    for (const { entity, id, before, after } of deltas) {
      if (before === undefined && after !== undefined && id < firstFree) complain(`${where}: row id ${id} of ${entity} is given again`);
      if (before === undefined && after === undefined && id < firstFree)
        complain(`${where}: row ${id} of ${entity} is removed, and is not there`);
      if (id >= changes.nextId) complain(`${where}: row id ${id} of ${entity} was never given`);
    }
    let seq = previous?.ledgerSeq ?? 0;
    for (const entry of changes.ledger) if (entry.seq !== ++seq) complain(`${where}: ledger line ${entry.seq} stands where ${seq} must`);
    if (seq !== changes.ledgerSeq) complain(`${where}: the last ledger line is ${seq}, and the counter says ${changes.ledgerSeq}`);
  },
};

function nodeOrder(): Checker {
  const positionByNode = new Map<string, number>();
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

const wakeIsEarliestAlarm: Checker = {
  name: 'no alarm is lost',
  sentence: 'each turn writes down the earliest alarm of any row of its shard',
  onTurn: ({ changes, shard }, complain) => {
    if (rowsOfShard(shard, failure).length > 0) return;
    let earliest = 0;
    for (const due of alarmsOf(shard)) if (earliest === 0 || due < earliest) earliest = due;
    if (changes.wakeAt !== earliest)
      complain(`${shard.id} version ${changes.version} wakes at ${changes.wakeAt}, and its earliest alarm is ${earliest}`);
  },
};

const ALARM_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  listing: ['endsAt'],
  hold: ['repeatAt'],
  decision: ['repeatAt'],
};

function* alarmsOf(shard: ShardModel): Generator<number> {
  for (const [entity, attributes] of Object.entries(ALARM_ATTRIBUTES)) {
    for (const row of shard.rowsByEntity.get(entity)?.values() ?? []) {
      for (const attribute of attributes) {
        const due = row[attribute];
        if (typeof due === 'number') yield due;
      }
    }
  }
}

const nothingFails: Checker = {
  name: 'T6 no shard is quarantined and no turn fails',
  sentence: 'no handler throws, and no shard ever hears of an outcome that it cannot know',
  onTurn: ({ changes, deltas }, complain) => {
    for (const { entity, after } of deltas) {
      const row = rowAs(failure, entity, after);
      if (row !== undefined) complain(`${changes.shard} version ${changes.version} notes the failure ${row.key}: ${row.error}`);
    }
  },
};

const answersStand: Checker = {
  name: 'same op, same answer',
  sentence: 'the answer of an operation is never changed, an unfinished operation is never forgotten, and what is packed is all there',
  onTurn: (turn, complain) => checkOperations(turn, complain),
};

function checkOperations({ changes, deltas }: DurableTurn, complain: (detail: string) => void): void {
  const where = `${changes.shard} version ${changes.version}`;
  // Simulations are far shorter than the time for which operations of the service and of staff are remembered.
  const gone = deltas.filter(
    ({ entity, before, after }) => after === undefined && rowAs(operation, entity, before)?.state === 'kept',
  ).length;
  const packs = deltas.flatMap(({ entity, before, after }) => (before === undefined ? (rowAs(operationPack, entity, after) ?? []) : []));
  const packed = packs.reduce((sum, { hashes, digests }) => sum + Math.min(hashes.length, digests.length) / 8, 0);
  if (gone !== packed) complain(`${where} removes ${gone} operations of the service or of staff, and packs ${packed}`);
  for (const { entity, before, after } of deltas) {
    const old = rowAs(operation, entity, before);
    const row = rowAs(operation, entity, after);
    if (old === undefined) continue;
    if (row === undefined) {
      if (old.state === 'open') complain(`${where} forgets the unfinished operation ${old.key}`);
      continue;
    }
    if (row.key !== old.key || row.digest !== old.digest) complain(`${where} makes the operation ${old.key} another one`);
    const isFinished = old.state !== 'open';
    if (isFinished && row.reply !== null && !isSame(row.reply, old.reply)) complain(`${where} changes the answer of ${old.key}`);
    if (isFinished && row.state === 'open') complain(`${where} opens the operation ${old.key} again`);
  }
}
