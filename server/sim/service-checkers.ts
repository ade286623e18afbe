/** Checkers of what game servers do, from what they asked for and the durable ledger. */
import type { LedgerEntry } from '#server/shard/ledger.ts';
import { operation } from '#server/shard/operations.ts';
import { isSame, whereOf, type Checker, type Complain } from './checker.ts';
import { recordOf } from './json-values.ts';
import type { MarketFacts } from './market-checkers.ts';
import { stepsOf, type DurableTurn } from './model.ts';

/** The causes of their lines: where what they move enters or leaves the world, and where it is in it. */
const LINES = new Map([
  ['granted', { edge: 'minted', sign: -1, inside: new Set(['wallet gold', 'stash item', 'completed item', 'stash commodity']) }],
  ['charged', { edge: 'burned', sign: 1, inside: new Set(['wallet gold', 'stash item', 'stash commodity']) }],
]);

/** New ones for one simulation. */
export function serviceCheckers({ bodyOf }: Pick<MarketFacts, 'bodyOf'>): readonly Checker[] {
  const done = new Set<string>();
  return [
    {
      name: 'the service moves what it was asked to, once',
      sentence:
        'a grant gives, and a charge takes, exactly what was asked for with its op, all of it and one time; a charge only of what is at hand',
      onTurn: (turn, complain) => {
        const say: Complain = (detail) => complain(`${whereOf(turn)}: ${detail}`);
        const lines = turn.changes.ledger.filter(({ cause }) => LINES.has(cause));
        const keys = newServiceKeys(turn);
        if (lines.length !== keys.length) say(`${lines.length} lines of the service, and ${keys.length} operations`);
        for (const key of keys) {
          const name = `${turn.changes.shard} ${key}`;
          if (done.has(name)) say(`${key} is done again`);
          done.add(name);
          const [line] = lines;
          if (line !== undefined) checkLine(line, recordOf(bodyOf(turn.changes.shard, key)), say);
        }
      },
    },
  ];
}

/** Operations of the service that a turn has begun: grants and charges are all that it does with an `op`. */
function newServiceKeys(turn: DurableTurn): readonly string[] {
  return stepsOf(turn, operation).flatMap(({ old, row }) =>
    old === undefined && row?.key.startsWith('service/') === true ? [row.key] : [],
  );
}

function checkLine({ cause, postings }: LedgerEntry, asked: Readonly<Record<string, unknown>>, say: Complain): void {
  const { edge, sign, inside } = LINES.get(cause) ?? { edge: '', sign: 1, inside: new Set<string>() };
  const moved = new Map<string, number>();
  for (const { place, asset, amount } of postings) {
    const [kind = ''] = asset.split(':');
    if (place === edge) moved.set(asset, (moved.get(asset) ?? 0) + sign * amount);
    else if (!inside.has(`${place} ${kind}`)) say(`${cause} moves ${asset} at ${place}`);
  }
  const [gold, items, stacks] = [Number(asked['gold'] ?? 0), listIn(asked, 'items'), listIn(asked, 'commodities')];
  const named = items.map((item) => (typeof item === 'string' ? item : recordOf(item)['id'])).filter((id) => typeof id === 'string');
  const movedItems = [...moved].filter(([asset]) => asset.startsWith('item:'));
  const others = Object.fromEntries([...moved].filter(([asset]) => !asset.startsWith('item:')));
  const expected = Object.fromEntries(
    stacks.map((stack) => [`commodity:${String(recordOf(stack)['commodity'])}`, recordOf(stack)['quantity']]),
  );
  if (!isSame(others, gold === 0 ? expected : { gold, ...expected }))
    say(`${cause} moves ${JSON.stringify(others)}, and was asked for ${JSON.stringify({ gold, ...expected })}`);
  if (movedItems.length !== items.length || movedItems.some(([, amount]) => amount !== 1))
    say(`${cause} moves ${movedItems.length} items, and was asked for ${items.length}`);
  for (const id of named) if (moved.get(`item:${id}`) !== 1) say(`${cause} does not move ${id}, which it was asked for`);
}

function listIn(asked: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const list = asked[name];
  return Array.isArray(list) ? list : [];
}
