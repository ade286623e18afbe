/**
 * Limits: every bound that a client, an operator or another file depends on, with its unit in its name and its reason beside it.
 * A bound that only the code next to it depends on stands beside that code.
 *
 * These are bounds of the machine, the same in every world. What a game designer sets (fees, durations,
 * capacities) is in `rules.ts`. How the bounds relate is asserted in `limits.test.ts`.
 */
import { durationMs } from './units.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const KIB = 1_024;
const MIB = 1_024 * KIB;
const GIB = 1_024 * MIB;

/** The bounds by name; `Ms` are milliseconds, `Bytes` are bytes, anything else counts. */
export const limits = {
  /**
   * How long after its hold an offer may still be accepted. Long enough for a hop and a slow commit, short enough to wait for. A release that
   * shortens it has to wait until no offer of the longer window is open: when a hold was made is reckoned from it (docs/decisions/018).
   */
  offerWindowMs: durationMs(10 * SECOND),
  /**
   * How long a command waits for the outcome of its trade before it is answered `outcome-unknown`;
   * the outcome still comes. Several repeats of the offer fit into it.
   */
  outcomeWaitMs: durationMs(5 * SECOND),
  /** How long a command that was forwarded to another node waits for its reply. */
  forwardedReplyWaitMs: durationMs(8 * SECOND),
  /** The first repeat of an unanswered offer or outcome. Longer than any healthy round trip, so that health causes no repeats. */
  retryFirstMs: durationMs(1 * SECOND),
  /** The longest pause between repeats: after an outage, every trade is asked about again within it. */
  retryMaxMs: durationMs(60 * SECOND),
  /** Each repeat waits this many times as long as the one before, up to `retryMaxMs`. */
  retryFactor: 2,
  /** A trade message or alarm that fails in this many turns marks its row `stuck`, for an operator. */
  turnAttemptsMax: 5,
  /** A shard tidies up in every so many of its turns: old rows lie far apart in memory, and cost less when looked at together. */
  tidyEveryTurns: 8,
  /** Rows of one kind that one turn tidies away: more than `tidyEveryTurns` turns can make, too few to be felt. */
  tidiedRowsMax: 16,

  /** Messages that wait for one shard. Beyond it the sender is told `busy`; a shard does thousands of turns per second. */
  inboxMessagesMax: 1_024,
  /** Operations of one player's clients that have no outcome yet. Beyond it the player is told `rate-limited`. */
  operationsUnfinishedMax: 256,
  /** The newest finished operations of a player, which keep their whole answer: what a client may ask again after a reconnect. */
  operationsAnsweredMax: 64,
  /** Finished operations of a player that are known, packed but for the newest, so that a late repeat is `op-done`, never done again. */
  operationsRememberedMax: 4_096,
  /** How long a player's operation is known; it goes with its pack, when the newest in that is so old. */
  operationsRememberedMs: durationMs(24 * HOUR),
  /** How long operations of the service and of staff are kept; they are never displaced earlier. */
  operationsServiceRememberedMs: durationMs(7 * 24 * HOUR),
  /** Finished operations that go into one packed row, and out of it again as one. */
  operationsPerPack: 64,
  /**
   * Operations of the service and of staff that a shard remembers. Beyond it a new one is told `busy`: three a minute for all of the 7 days,
   * for one player, is a fault of the caller.
   */
  operationsServiceRememberedMax: 32_768,
  /** What a stored answer takes in a shard, about: those to claims are the largest. How much it is counts towards the shard's size. */
  operationAnswerBytesMax: 3_584,
  /** What one packed operation (hash and digest) takes in a shard. */
  operationPackedBytes: 16,
  /** Newest ledger lines that a shard keeps for display; all lines go to the node's database. */
  ledgerLinesKept: 50,

  /** The most that a player can make a shard keep, as the sum of its encoded rows. A shard is a small thing; this one is a fault or an attack. */
  shardBytesMax: 1 * MIB,
  /** Kept back of `shardBytesMax` for what trades bring back: outcomes and returns must never fail for space. */
  shardBytesReserved: 128 * KIB,
  /**
   * Decisions of a shard, on offers of others: two hundred offers a second for all of `offerWindowMs`. Beyond it offers wait unanswered; a
   * seller loses sales for a while, and nothing else.
   */
  decisionsMax: 2_048,
  /** What one decision takes at most: that of a sale keeps the item until it is settled. */
  decisionBytesMax: 1_536,
  /** Messages of trades whose handlers failed and which a shard keeps count of. Beyond it one more is not counted, and simply tried again. */
  failuresMax: 512,
  /** The error of a failed turn, in UTF-16 units: what is longer is cut. */
  failureErrorLengthMax: 512,
  /** What one failure takes at most, with the error in words. */
  failureBytesMax: 896,
  /** The largest shard with all that others made it keep, and so the largest record and image. */
  shardWithOthersBytesMax: 6 * MIB,
  /** What one trade under way may still add to a shard when it ends (goods, entry, ledger lines). */
  tradeReturnBytesMax: 512,

  /** The largest message of a client; Colyseus' own default is 4 KiB, too small for the largest criteria. */
  payloadBytesMax: 16 * KIB,
  /** Free text of a player or a studio (a name searched for, a reason, a report), in UTF-16 units. */
  textLengthMax: 200,
  /** A name that is shown: item, player, affix, commodity. */
  displayNameLengthMax: 64,
  /** A word of the catalogue: the id of an affix, base, item class or commodity. */
  catalogWordLengthMax: 40,
  /** A cursor or other opaque text that the server made. */
  cursorLengthMax: 512,
  /** The id of a listing or a transaction as clients see it: the longest that there can be, sealed. */
  sealedIdLengthMax: 212,
  /** A transaction inside of the server, in text form: shard, generation and sequence number. */
  transactionTextLengthMax: 160,
  /** Affixes on one item, legendary ones included. */
  affixesPerItemMax: 12,
  /** The largest value of a stat, 2^31 - 1: the columns of the listing index hold 32 bits. */
  statValueMax: 2_147_483_647,
  /** Listings in one answer to a search. */
  searchLimitMax: 100,
  /** Stat conditions of one criteria node: the reference's own limit. */
  criteriaStatsMax: 6,
  /** Levels of `any` and `none` below the top of a criteria tree. */
  criteriaDepthMax: 2,
  /** Sub-criteria in one `any` or `none`. */
  criteriaBranchesMax: 8,
  /** Nodes of one criteria tree, the top included: bounds the work per listing looked at. */
  criteriaNodesMax: 32,
  /**
   * What one search may cost, in rows looked at by one condition: two to three nanoseconds each (five on a busy machine), so that none holds the index for more
   * than 50 ms. It is five times a search for everything among a million listings.
   */
  searchCostMax: 10_000_000,
  /** Ledger lines in one answer to `history`. */
  historyPageMax: 50,
  /** Completed entries that one `claim` moves; a client with more asks again. */
  claimEntriesMax: 50,
  /** The token to resume a session with; a client asks for the next one before it ends. */
  sessionTokenMs: durationMs(15 * MINUTE),
  /** How long sessions may be resumed one after the other until the studio has to be asked again: a long evening of play. */
  sessionResumedMs: durationMs(12 * HOUR),
  /** How far the clocks of studio and server may differ in what a token says of time. */
  tokenLeewayMs: durationMs(5 * SECOND),
  /** The longest token that a client may show, in characters. */
  tokenLengthMax: 4_096,
  /** The shortest secret, in characters: HS256 wants a key as long as its hash. */
  secretLengthMin: 32,
  /**
   * Connections of one player, in all regions and modes together, seats not yet taken and seats kept for who dropped included: a few
   * devices. The ninth is `busy`.
   */
  connectionsPerPlayerMax: 8,
  /** Connections of a node, HTTP and WebSocket together: at the 40 KB that an idle player costs beside the shard, 0.8 GB. */
  connectionsMax: 20_000,
  /** WebSockets of one address, or of one /64 of IPv6: a tenth of the node, and a large school behind one address. */
  connectionsPerAddressMax: 2_000,
  /** From the upgrade until a client has joined its room: several round trips of a bad line. */
  joinMs: durationMs(5 * SECOND),
  /** How long a client may take to answer that it is closed; then the socket is destroyed. */
  closeMs: durationMs(2 * SECOND),
  /** How long a dropped connection may come back to its seat, by the SDK's own reconnection. */
  reconnectionMs: durationMs(15 * SECOND),
  /** Tokens per second of one player, over all connections. A token is about 0.2 ms of the node: a player may take 0.4 % of its time. */
  playerTokensPerSecond: 20,
  /** Tokens that a player may spend at once before `playerTokensPerSecond` holds it: opening the game and all of its pages. */
  playerTokensBurst: 60,
  /** Tokens per second of one address, whoever its players are: 25 that do all they may, or hundreds that play. A tenth of a node's time. */
  addressTokensPerSecond: 500,
  /** Tokens that an address may spend at once. */
  addressTokensBurst: 1_500,
  /** Sessions that wait while a few are being opened, of all addresses together: three to five seconds of work on a quick disk. Beyond it the next is `busy`. */
  sessionsWaitingMax: 1_000,
  /** Tokens of a session: its token is verified, its shard opened, a room made. */
  sessionTokens: 5,
  /** Searches of one player that wait while one is under way. Beyond it the player is told `rate-limited`. */
  searchesWaitingMax: 4,
  /** Searches of all players of an address that are under way at once: the index looks at one after the other in any case. */
  searchesPerAddressMax: 4,
  /**
   * What a search may look at for one token: rows times the conditions that look at them. The index, a process of its own, does some 400
   * million a second.
   */
  searchUnitsPerToken: 20_000,
  /** Listings of an answer for one token: reading, sealing and encoding them is the node's own work. */
  searchListingsPerToken: 20,
  /** The body of an HTTP request: the largest is a session with a token. */
  httpBodyBytesMax: 8 * KIB,
  /** An id of a player as the studio writes it, in UTF-16 units: no longer one could fit into a player's id. */
  studioIdLengthMax: 64,
  /** The name of a service key. */
  serviceNameLengthMax: 32,
  /** Grants or charges in one request. */
  serviceRequestsMax: 1_000,
  /** Grants or charges of one request that are taken up at once; between them the node does other things. */
  serviceRequestsAtOnce: 32,
  /** The body of a request of a game server: the largest list of grants of a few items each. */
  serviceBodyBytesMax: 4 * MIB,
  /** Items in one grant or charge: its answer names each, and is kept. */
  serviceItemsMax: 32,
  /** Different commodities in one grant or charge. */
  serviceCommoditiesMax: 32,
  /** How long the keys of a JWKS hold before it is asked for again, by the next token; while it is away they go on to hold. */
  jwksMaxAgeMs: durationMs(5 * MINUTE),
  /** How long a JWKS is not asked for again, however many tokens name keys that it does not have. */
  jwksCooldownMs: durationMs(30 * SECOND),
  /** How long a JWKS may take to answer. */
  jwksWaitMs: durationMs(3 * SECOND),
  /** How long a client may take for the headers of a request. */
  httpHeadersMs: durationMs(5 * SECOND),
  /** How long a client may take for its whole request. */
  httpRequestMs: durationMs(10 * SECOND),
  /** How long a connection may idle between two requests. */
  httpKeepAliveMs: durationMs(5 * SECOND),
  /** How long a connection may be silent in both directions while an answer is due or not taken: longer than any command waits. */
  httpIdleMs: durationMs(15 * SECOND),
  /** HTTP connections of one address: ten seconds of all the sessions that it may open. */
  httpConnectionsPerAddressMax: 256,
  /** Requests on one connection: what is sent without waiting for answers makes at most so many of them at once. */
  httpRequestsPerConnectionMax: 100,
  /** Bytes waiting for a slow reader before its connection is closed. */
  clientBufferedBytesMax: 1 * MIB,

  /** What shards in memory may take, about; the rest of the machine is for the index, the sockets and the page cache. */
  memoryBudgetBytes: 2 * GIB,
  /** Fixed slices of a region's shards: the unit of ownership. Enough to spread over dozens of nodes. */
  cellsPerRegion: 64,
  /** Committed records that are in no image yet. Past it, turns wait: the disk must catch up. */
  journalBacklogBytesMax: 2 * GIB,
  /** A backlog of this size starts an image pass without waiting for the interval. */
  imagePassBytes: 512 * MIB,
  /** The pause between image passes of a calm node. */
  imagePassIntervalMs: durationMs(2 * MINUTE),
  /**
   * Images that may newly turn out to be missing or unreadable in one pass; each costs its own shard. A disk loses a file now and then: when
   * it is more than a handful within minutes, the disk is gone, and to go on would put aside the records of everybody.
   */
  imageFaultsPerPassMax: 8,
  /** The largest group commit; what is appended beyond it goes into the next one. Bounds the latency of a commit. */
  commitBytesMax: 8 * MIB,
  /**
   * Appended records that go into a commit of their own at once if none is under way. Fewer wait for the end of what the node is doing:
   * a commit under way is a chance for others to join, but the disk must not stand still while thousands of turns are taken.
   */
  commitEagerBytes: 64 * KIB,
  /** Journal records dropped per transaction after a pass: few milliseconds that a group commit may have to wait, and few syncs. */
  journalDropRecordsPerChunk: 8_192,
  /** Appended records that wait for their commit. Past it, turns wait: the disk is slower than the node. */
  journalUnsentBytesMax: 64 * MIB,
  /** How long commits wait while another program has `journal.db` locked; then the process ends. Longer than somebody looks into it. */
  journalLockedMs: durationMs(10 * SECOND),
  /** How long a fold or a question waits while another program has `node.db` locked. A fold is tried again; a question fails. */
  projectionsLockedMs: durationMs(5 * SECOND),
  /** Journal records folded into `node.db` by one transaction: large ones net more away, small ones hold up fewer queries. */
  foldChunkBytes: 64 * MIB,
  /** How far `node.db` may fall behind on a calm node. */
  foldIntervalMs: durationMs(1 * SECOND),

  /** A node's clock moves towards the wall clock by at most this share: 1 %. */
  clockSlewPerMille: 10,
  /** A difference between a node's time and the wall clock that raises an alert; it is never jumped. */
  clockAlertMs: durationMs(5 * SECOND),
  /**
   * How far ahead a node reserves the time that it may tell, durably. A node that is started again after a crash begins where its lease
   * ends: so no more than its peers bear, and long enough for the disk to be busy for a second.
   */
  timeLeaseMs: durationMs(2 * SECOND),
  /** A start whose wall clock is further behind the last time that the node knows wants to be told that the clock is right. */
  clockBehindMaxMs: durationMs(60 * SECOND),
  /** So does a start that is further ahead of it: everything that ends meanwhile would end at once. A node that was off for a week. */
  clockAheadMaxMs: durationMs(7 * 24 * HOUR),
  /** A node takes no commands of a peer whose clock is further ahead: a quarter of the offer window. */
  clockPeerDifferenceMaxMs: durationMs(2_500),
  /** What a thread of the persister may take to close its files, and then to end; it may be ended anywhere, and nothing is lost. */
  threadEndMs: durationMs(250),
  /** From the signal to stop until the process is gone, whatever clients do. */
  drainMaxMs: durationMs(5 * SECOND),
} as const;
