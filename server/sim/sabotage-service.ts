/** Deliberate faults of grants and charges. */
import { addGold, gold, NO_GOLD } from '#shared/units.ts';
import { wallet } from '#server/market/goods/wallet.ts';
import { item } from '#server/market/goods/stash.ts';
import { listing } from '#server/market/listing/listing.ts';
import { completed } from '#server/market/completed/completed.ts';
import { fromTo, transfer } from '#server/market/ledger.ts';
import type { Command } from '#server/shard/message.ts';
import { operation } from '#server/shard/operations.ts';
import { override } from './override.ts';
import { onHandler, type Sabotages } from './seams.ts';

type Service = Command & { readonly body: { readonly gold?: number; readonly items?: readonly unknown[] } };

/** Every sabotage of what game servers do. */
export const SERVICE_SABOTAGES: Sabotages = {
  // What a shard knows of the operations of the service is lost with its memory.
  'a grant is given again after a crash': () => ({
    persister: (real) => {
      const load: typeof real.load = async (shard) => {
        const loaded = await real.load(shard);
        if (loaded.kind !== 'found') return loaded;
        const isKnown = ({ table, values }: (typeof loaded.shard.puts)[number]): boolean =>
          table === operation.schema.table && values.some((value) => typeof value === 'string' && value.startsWith('service/'));
        return { ...loaded, shard: { ...loaded.shard, puts: loaded.shard.puts.filter((put) => !isKnown(put)) } };
      };
      return override(real, { load });
    },
  }),
  'a charge takes what is held': () =>
    onHandler<Service>('service', 'charge', (turn, command, real) => {
      const row = turn.table(wallet).first();
      if (row !== undefined && (command.body.gold ?? 0) > row.gold)
        turn.put(wallet, { ...row, gold: addGold(row.gold, row.held) ?? row.gold, held: NO_GOLD });
      return real(turn, command);
    }),
  'a charge takes what is listed': () =>
    onHandler<Service>('service', 'charge', (turn, command, real) => {
      const listed = turn
        .table(listing)
        .rows()
        .find((row) => command.body.items?.includes(row.item.value.id));
      if (listed !== undefined) {
        turn.remove(listing, listed.id);
        turn.insert(item, { itemId: listed.item.value.id, item: listed.item });
        transfer(turn, 'claim', null, [fromTo(`item:${listed.item.value.id}`, 'listed', 'stash')]);
      }
      return real(turn, command);
    }),
  'a charge takes what there is': () =>
    onHandler<Service>('service', 'charge', (turn, command, real) => {
      const most = turn.table(wallet).first()?.gold ?? NO_GOLD;
      const less: Command = { ...command, body: { ...command.body, gold: gold(Math.min(command.body.gold ?? 0, most)) } };
      return real(turn, less);
    }),
  'a grant leaves out what finds no slot': () =>
    onHandler<Service>('service', 'grant', (turn, command, real) => {
      const insert: typeof turn.insert = (entity, values) => {
        const row = turn.insert(entity, values);
        if (entity.name === completed.name) turn.remove(entity, row.id);
        return row;
      };
      return real(override(turn, { insert }), command);
    }),
};
