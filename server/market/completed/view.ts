/**
 * The completed tab in the room: of the entries the oldest are shown, as many as the rules say; the
 * others move up as those are claimed.
 */
import type { CompletedEntry, CompletedState } from '#shared/protocol/completed.ts';
import type { ServerMessage } from '#shared/protocol.ts';
import type { Plain } from '#shared/state.ts';
import { quantity, type RowId } from '#shared/units.ts';
import { fold, type Room, type View } from '../feature.ts';
import { completed, type CompletedRow } from './completed.ts';

/** The completed tab of one room. */
export function completedView({ state, rules, seal }: Room): View {
  const rowById = new Map<RowId, CompletedRow>();
  /** Entries whose place in the state has to be looked at, and which of them are new. */
  const touched = new Set<RowId>();
  let added: CompletedRow[] = [];
  const show = (): void => {
    if (touched.size === 0) return;
    const shown = [...rowById.keys()].sort((a, b) => a - b).slice(0, rules.completedShown);
    const shownKeys = new Set(shown.map(String));
    for (const key of state.completed.keys()) if (!shownKeys.has(key)) state.completed.delete(key);
    for (const id of shown) {
      const row = rowById.get(id);
      const isStale = touched.has(id) || !state.completed.has(String(id));
      if (row !== undefined && isStale) state.completed.set(String(id), completedState(row, seal));
    }
    touched.clear();
  };
  return {
    folds: [
      fold(completed, {
        put: (row) => {
          if (!rowById.has(row.id)) added.push(row);
          rowById.set(row.id, row);
          touched.add(row.id);
        },
        remove: (id) => {
          rowById.delete(id);
          touched.add(id);
        },
        clear: () => {
          state.completed.clear();
          rowById.clear();
        },
      }),
    ],
    settle: () => {
      const messages = added.map(messageOf);
      added = [];
      show();
      return messages;
    },
  };
}

/** An entry in the protocol's shape. */
function completedEntry({ id, entry, item, commodity, quantity: count, gold, fees, tx, at }: CompletedRow): CompletedEntry {
  return {
    id,
    kind: entry,
    ...(item === null ? {} : { item: item.value }),
    ...(commodity === null ? {} : { commodity }),
    ...(count === null ? {} : { quantity: quantity(count) }),
    ...(gold === null ? {} : { gold }),
    fees: fees.value,
    ...(tx === null ? {} : { tx }),
    at,
  };
}

/** An entry in the state. */
function completedState(row: CompletedRow, seal: Room['seal']): Plain<CompletedState> {
  const { tx, ...entry } = completedEntry(row);
  return { ...entry, ...(tx === undefined ? {} : { tx: seal('transaction', tx) }) };
}

/**
 * In which words the other kinds of entries are told, of which the type of the message says
 * nothing.
 */
const NOTICE_BY_KIND: Readonly<Record<Exclude<CompletedEntry['kind'], 'sold' | 'expired'>, string>> = {
  bought: 'A purchase went through. The goods wait in your completed tab.',
  cancelled: 'A listing was cancelled. The goods wait in your completed tab.',
  outbid: 'You were outbid. Your gold waits in your completed tab.',
  granted: 'You were given something that did not fit into your stash. It waits in your completed tab.',
  returned: 'Something came back to you. It waits in your completed tab.',
};

function messageOf(row: CompletedRow): ServerMessage {
  const entry = completedEntry(row);
  const id = `entry-${row.id}`;
  if (entry.kind === 'sold' || entry.kind === 'expired') return { type: entry.kind, payload: { id, entry } };
  return { type: 'notice', payload: { id, text: NOTICE_BY_KIND[entry.kind], entry } };
}
