import { describe, expect, it } from '@jest/globals';
import { limits } from './limits.ts';
import { commands } from './protocol.ts';
import { GOLD_MAX, QUANTITY_MAX } from './units.ts';

/** What must hold between bounds: the reason in words, then the smaller and the larger side. */
const relations: readonly (readonly [reason: string, smaller: number, larger: number])[] = [
  ['an offer is repeated several times within its window', limits.retryFirstMs * (1 + limits.retryFactor), limits.offerWindowMs],
  [
    'an offer is repeated before its command is told that the outcome is unknown',
    limits.retryFirstMs * (1 + limits.retryFactor),
    limits.outcomeWaitMs,
  ],
  ['a command is answered before its offer ends', limits.outcomeWaitMs, limits.offerWindowMs],
  [
    'a forwarded command hears from its node that the outcome is unknown',
    limits.outcomeWaitMs + limits.retryFirstMs,
    limits.forwardedReplyWaitMs,
  ],
  ['repeats start short and end long', limits.retryFirstMs + 1, limits.retryMaxMs],
  ['a peer clock is off by at most a quarter of the offer window', limits.clockPeerDifferenceMaxMs * 4, limits.offerWindowMs],
  ['peers are refused before an operator would be alerted', limits.clockPeerDifferenceMaxMs, limits.clockAlertMs],
  ['an alert comes before a start is refused', limits.clockAlertMs + 1, limits.clockBehindMaxMs],
  ['a node that was started again is on terms with its peers', limits.timeLeaseMs, limits.clockPeerDifferenceMaxMs],
  ['what a crash right after a crash adds to the time of a node raises no alert', 2 * limits.timeLeaseMs, limits.clockAlertMs],
  [
    'every unfinished trade can bring its goods back',
    limits.operationsUnfinishedMax * limits.tradeReturnBytesMax,
    limits.shardBytesReserved,
  ],
  [
    'operations fit into a shard and leave an eighth of it for goods',
    (limits.operationsAnsweredMax + limits.operationsPerPack + limits.tidyEveryTurns - 1) * limits.operationAnswerBytesMax +
      limits.operationsRememberedMax * limits.operationPackedBytes +
      limits.shardBytesReserved,
    limits.shardBytesMax * (7 / 8),
  ],
  [
    'a shard that is full in every way, by its player and by all others, is bounded',
    limits.shardBytesMax +
      limits.decisionsMax * limits.decisionBytesMax +
      limits.failuresMax * limits.failureBytesMax +
      limits.operationsServiceRememberedMax * limits.operationPackedBytes +
      (limits.operationsAnsweredMax + limits.operationsPerPack + limits.tidyEveryTurns - 1) * limits.operationAnswerBytesMax,
    limits.shardWithOthersBytesMax,
  ],
  [
    'the answer of the largest grant fits into what is kept of it',
    limits.serviceItemsMax * (64 + 3) + limits.serviceNameLengthMax + 128,
    limits.operationAnswerBytesMax,
  ],
  ['a list of grants of an item each fits into a request', limits.serviceRequestsMax * 2_048, limits.serviceBodyBytesMax],
  ['a list of grants fits into an inbox', limits.serviceRequestsMax, limits.inboxMessagesMax],
  [
    'a transaction and a failed turn fit into a failure',
    limits.transactionTextLengthMax + limits.failureErrorLengthMax + 64,
    limits.failureBytesMax,
  ],
  ['one buyer cannot fill the decisions of a seller', limits.operationsUnfinishedMax * 4, limits.decisionsMax],
  ['one full packed row is worth its while', limits.tidyEveryTurns, limits.operationsPerPack],
  ['a shard tidies away what it makes', limits.tidyEveryTurns, limits.tidiedRowsMax],
  ['answered operations are among the remembered ones', limits.operationsAnsweredMax, limits.operationsRememberedMax],
  ['players do not outlast the service', limits.operationsRememberedMs, limits.operationsServiceRememberedMs],
  ['one player cannot fill an inbox with unfinished operations', limits.operationsUnfinishedMax, limits.inboxMessagesMax],
  ['an offer is decided long before its operation is forgotten', limits.offerWindowMs + limits.retryMaxMs, limits.operationsRememberedMs],
  [
    'the largest criteria fit into one message',
    limits.criteriaNodesMax * limits.criteriaStatsMax * (limits.catalogWordLengthMax + 40),
    limits.payloadBytesMax,
  ],
  ['a session is resumed many times before the studio is asked again', limits.sessionTokenMs * 8, limits.sessionResumedMs],
  ['what clocks may differ by is small against what a token is good for', limits.tokenLeewayMs * 16, limits.sessionTokenMs],
  ['a session with the longest token fits into a request', limits.tokenLengthMax + 1_024, limits.httpBodyBytesMax],
  ['a request is more than its headers', limits.httpHeadersMs + 1, limits.httpRequestMs],
  ['nobody waits longer for HTTP than for a command', limits.forwardedReplyWaitMs + 1, limits.httpIdleMs],
  [
    'one address cannot fill the decisions of a seller with offers',
    (limits.addressTokensBurst + (limits.addressTokensPerSecond * limits.offerWindowMs) / 1_000) / commands.buyout.cost,
    limits.decisionsMax,
  ],
  ['an address is more than one player', limits.playerTokensBurst * 10, limits.addressTokensBurst],
  ['no address has all connections', limits.connectionsPerAddressMax * 10, limits.connectionsMax],
  ['every text fits into one message', limits.textLengthMax * 6, limits.payloadBytesMax],
  ['the largest shards fit into memory by the hundreds', limits.shardWithOthersBytesMax * 256, limits.memoryBudgetBytes],
  ['a pass starts long before turns must wait', limits.imagePassBytes * 4, limits.journalBacklogBytesMax],
  ['a whole shard fits into one commit, beside what is worth a commit', limits.shardWithOthersBytesMax + 1_048_576, limits.commitBytesMax],
  ['a commit is worth its while', limits.commitEagerBytes * 2, limits.commitBytesMax],
  ['many commits fit before a pass', limits.commitBytesMax * 8, limits.imagePassBytes],
  ['several commits may wait while one is under way', limits.commitBytesMax * 4, limits.journalUnsentBytesMax],
  ['a chunk of the fold holds whole commits', limits.commitBytesMax, limits.foldChunkBytes],
  ['what is in images was folded first, in many chunks', limits.foldChunkBytes * 4, limits.imagePassBytes],
  [
    'edge, node and threads, one after the other, end within the time to stop, with some left for the process itself',
    limits.drainMaxMs / 4 + limits.drainMaxMs / 2 + 4 * limits.threadEndMs,
    limits.drainMaxMs - limits.threadEndMs,
  ],
  ['a fold or a question gives up on a locked database before commits do', limits.projectionsLockedMs, limits.journalLockedMs],
  ['a drain ends before an offer would', limits.drainMaxMs, limits.offerWindowMs],
];

describe('limits', () => {
  it.each(relations)('%s', (_reason, smaller, larger) => {
    expect(smaller).toBeLessThanOrEqual(larger);
  });

  it('are all positive safe integers', () => {
    for (const [name, value] of Object.entries(limits)) {
      expect([name, Number.isSafeInteger(value) && value > 0]).toEqual([name, true]);
    }
  });

  it('leave the largest quantity of the reference inside the safe integers', () => {
    expect(QUANTITY_MAX).toBe(2 ** 32 - 1);
    expect(GOLD_MAX).toBe(2 ** 53 - 1);
  });
});
