/**
 * What breaks a tidy rule and may, each with its reason. A reason that starts with `open:` is a fault that is to be mended: take
 * the line away with it, and add none.
 */
import type { Exceptions } from './export-rules.ts';

/** Names that more than one file exports. */
export const SHARED_NAMES: Exceptions = {
  'load-tests/crash-drill/asked.ts Answered': 'open: drill and client',
  'load-tests/demo/books.ts Books': 'open: drill and demo',
  'load-tests/demo/books.ts Holdings': 'open: drill and demo',
  'server/edge/sessions.ts openSession': 'the two ends of one request: the client opens a session, and so does the edge',
  'server/journal/images/sqlite-file/btree.ts Cell': 'open: of SQLite, and of a market',
  'server/journal/persister/backend.ts Backend': 'open: of the edge, and of the persister',
  'server/journal/threads/worker-port.ts Caller': 'open: of dispatch, and of a thread',
  'server/platform/within.ts within': 'the client has one of its own: it runs where there is no platform',
  'server/shard/entity.ts Column': 'open: of an entity, and of the listing index',
  'shared/units.ts gold': 'open: an amount, and an attribute',
  'server/shard/query.ts Query': 'open: of a shard, and of node.db',
  'server/shard/record/reader.ts schemaOf': 'open: of a record, and of an image',
  'server/shard/undo-log.ts RowChange': 'open: of a turn, and of a projection',
  'server/sim/answer-book.ts Asked': 'open: drill and simulator',
  'server/sim/row-decode.ts fieldsOf': 'open: of a row, and of a schema',
  'server/trade/messages.ts Outcome': 'open: of a trade, and of a write',
  'server/trade/trade-kind.ts kindOf': 'open: of a trade, and of a packet',
  'shared/hash.ts hashOf': 'open: of a text, and of bytes',
  'shared/protocol.ts Command': 'open: of a client, and of a shard',
  'shared/rules.ts FeeLine': 'open: declared twice, and the same',
  'shared/search.ts placeOf': 'open: of a search, and of a record',
  'shared/units.ts NodeName': 'open: is to take the place of that of server/routing/link.ts',
};

/** Exports that nothing but tests uses, or nothing at all. */
export const UNUSED_EXPORTS: Exceptions = {
  'client-sim/testing.ts post': 'what tests and drills send past the typed client',
  'server/journal/images/image-bytes.ts writeImage': 'open: used by tests alone',
  'server/sim/scenario.ts kindOf': 'the scenarios are tests',
  'server/sim/virtual-platform.ts virtualPlatform': 'open: used by tests alone',
  'server/trade/decider.ts decideAccepted':
    'for kinds of trades that are accepted first and decided later: tested, and not in the market yet',
  'shared/address.ts marketName': 'open: awaits its use',
  'shared/cell.ts FIRST_EPOCH': 'open: awaits its use',
  'shared/cell.ts epoch': 'open: awaits its use',
  'shared/state.ts BidState': 'open: inside of the room state',
  'shared/state.ts OrderState': 'open: inside of the room state',
  'shared/units.ts NodeName': 'open: awaits its use',
  'shared/units.ts multiplyGold': 'a price by a quantity: tested, and not in the market yet',
};

/** Links of documents that lead nowhere, as `path link`. */
export const DEAD_LINKS: Exceptions = {
  'docs/internals/two-phase-commit.md ../../server/market/listing/buyout.ts': 'open: the market by feature',
  'docs/when-to-use.md internals/listing-index.md': 'open: awaits its document',
  'docs/when-to-use.md internals/shard-engine.md': 'open: awaits its document',
};
