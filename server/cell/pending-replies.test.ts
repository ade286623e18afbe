/** Replies to commands, by themselves: at once, when an operation completes, or in the end. */
import { describe, expect, it } from '@jest/globals';
import { refusal } from '#shared/refusals.ts';
import { rowId } from '#shared/units.ts';
import { answer, DONE, type Handled, type Reply } from '#server/shard/message.ts';
import { limits } from '#shared/limits.ts';
import { NO_REPLIES, PendingReplies, type ReplyingShard } from './pending-replies.ts';
import { Hand } from './testing/hand.ts';

const later = (operation: number): Handled => ({ kind: 'later', operation: rowId(operation) });
const UNKNOWN = refusal('outcome-unknown');

/** One shard whose replies go out at once. */
function replying() {
  const hand = new Hand();
  const replies = new PendingReplies(
    { release: (run) => run() },
    { timers: hand.timers, readings: { monotonicMs: () => hand.now, wall: () => hand.now } },
  );
  const shard: ReplyingShard = { pendingReplies: NO_REPLIES };
  const told: Reply[] = [];
  const ask = (handled: Handled): void => replies.reply(shard, handled, (reply) => void told.push(reply));
  return { hand, replies, shard, told, ask };
}

describe('a command', () => {
  it('is answered at once unless its operation is open', () => {
    const { told, ask, shard } = replying();
    for (const handled of [answer(1), refusal('stash-full'), DONE, later(1)]) ask(handled);
    expect(told).toEqual([answer(1), refusal('stash-full'), answer(undefined)]);
    expect(shard.pendingReplies).toHaveLength(1);
  });

  it('needs no timer if its trade is over when the delivery is, and is answered once', () => {
    const { hand, replies, shard, told, ask } = replying();
    ask(later(1));
    ask(later(2));
    ask(later(1));
    replies.complete(shard, rowId(1), answer('done'));
    replies.complete(shard, rowId(1), answer('done again'));
    expect([told, shard.pendingReplies.length]).toEqual([[answer('done'), answer('done')], 1]);
    replies.complete(shard, rowId(2), answer('too'));
    replies.watch();
    expect([hand.set, told.length, shard.pendingReplies.length]).toEqual([0, 3, 0]);
  });

  it('is told in its time that the outcome is unknown, and what comes later is not told', () => {
    const { hand, replies, shard, told, ask } = replying();
    ask(later(1));
    replies.watch();
    hand.move(1_000);
    ask(later(2));
    replies.watch();
    hand.move(limits.outcomeWaitMs - 1_001);
    expect(told).toEqual([]);
    hand.move(1);
    expect([told, shard.pendingReplies.length]).toEqual([[UNKNOWN], 1]);
    replies.complete(shard, rowId(1), answer('late'));
    hand.move(1_000);
    expect([told, shard.pendingReplies.length, hand.waiting]).toEqual([[UNKNOWN, UNKNOWN], 0, 0]);
  });

  it('is told so at once if its shard leaves, and nothing once all is stopped', () => {
    const { hand, replies, shard, told, ask } = replying();
    ask(later(1));
    replies.giveUp(shard);
    replies.watch();
    expect([told, shard.pendingReplies.length, hand.waiting]).toEqual([[UNKNOWN], 0, 0]);
    ask(later(2));
    replies.watch();
    replies.stop();
    hand.move(2 * limits.outcomeWaitMs);
    expect([told.length, hand.waiting]).toEqual([1, 0]);
  });
});
