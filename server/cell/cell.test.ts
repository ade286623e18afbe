/** Cells over the real persister on a disk in memory, in virtual time. */
import { describe, expect, it } from '@jest/globals';
import { shardId } from '#shared/address.ts';
import { AssertionFault } from '#shared/assert.ts';
import { epoch } from '#shared/cell.ts';
import { limits } from '#shared/limits.ts';
import { refusal, type RefusalName } from '#shared/refusals.ts';
import { instant, type ShardId } from '#shared/units.ts';
import type { Persister } from '#server/journal/persister/persister.ts';
import { MemoryDisk } from '#server/journal/disk/memory.ts';
import { defineShard } from '#server/shard/definition.ts';
import { bytes, defineEntity, integer } from '#server/shard/entity.ts';
import { answer, DONE, type Message, type Reply } from '#server/shard/message.ts';
import { onAlarm, onMessage, upgrader, type Powerup } from '#server/shard/powerup.ts';
import { ADA, BOB } from '#server/shard/testing/shard-driver.ts';
import { ActiveShard, type ShardNews } from './active-shard.ts';
import { ballast, Bench, COMMIT_MS, counter, counting, TEST_MARKET, type Ping } from './testing/cell-bench.ts';

const no = (name: RefusalName, details?: object) => refusal(name, details as never);
const nobody = no('unauthorized', { reason: 'no such player here' });

describe('a turn that has happened and cannot be appended', () => {
  it('stops the node before anything of it is believed, and leaves the journal whole', async () => {
    const boxed = defineEntity('box', { version: 1, attributes: { content: bytes() } });
    const boxes: Powerup = {
      name: 'boxes',
      entities: [boxed],
      // Bytes that are gone when they are to be encoded: they pass the entity, and throw then.
      handlers: {
        box: (turn) => {
          const content = new Uint8Array(8);
          const row = turn.insert(boxed, { content });
          structuredClone(content, { transfer: [content.buffer] });
          return answer(row.id);
        },
      },
    };
    const disk = new MemoryDisk(defineShard([counting, boxes]));
    const bench = await Bench.open({ disk, powerups: [counting, boxes] });
    await bench.create(ADA, BOB);
    const broken = bench.ask(ADA, 'box');
    const after = bench.ask(BOB, 'add', { value: 1 });
    await bench.run(1_000);
    expect(bench.faults).toHaveLength(1);
    expect([broken.reply, after.reply]).toEqual([undefined, undefined]);
    const again = await Bench.open({ disk, powerups: [counting, boxes] });
    const asked = again.ask(BOB, 'look');
    await again.run(1_000);
    expect(asked.reply).toEqual(answer(0));
  });
});

describe('a shard that cannot be loaded', () => {
  it('is reported at first and then ever more rarely, and is not woken meanwhile', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const told: ShardId[] = [];
    const bench = await Bench.open({ disk, onUnloadable: (shard) => void told.push(shard) });
    bench.backend.failuresLeft = 5;
    for (let attempt = 0; attempt < 5; attempt++) {
      expect(bench.parts.backoff.mayTry(ADA)).toBe(attempt === 0);
      bench.ask(ADA, 'look');
      await bench.run(100);
    }
    expect(bench.reported).toHaveLength(3);
    // Whoever is told may fail, too, and has no other occasion to try again.
    expect(told).toHaveLength(5);
    expect(bench.parts.backoff.size).toBe(1);
    await bench.run(limits.retryMaxMs);
    expect(bench.parts.backoff.mayTry(ADA)).toBe(true);
    bench.ask(ADA, 'look');
    await bench.run(100);
    expect(bench.parts.backoff.size).toBe(0);
  });
});

describe('the output gate of a cell', () => {
  it('lets nothing out before the journal is durable: no answer, no refusal, no read, no repeated answer (G1)', async () => {
    const bench = await Bench.open();
    await bench.create(ADA, BOB);
    const asked = [
      bench.ask(ADA, 'add', { value: 1 }, { op: 'a' }),
      bench.ask(ADA, 'refuse'),
      bench.ask(ADA, 'look'),
      bench.ask(ADA, 'add', { value: 1 }, { op: 'a' }),
      bench.ask(ADA, 'add', { value: 2 }, { op: 'a' }),
      bench.ask(ADA, 'fail'),
      bench.ask(BOB, 'look'),
    ];
    await bench.run(COMMIT_MS - 5);
    expect(asked.map(({ reply }) => reply)).toEqual(asked.map(() => undefined));
    await bench.run(10);
    expect(asked.map(({ reply }) => reply)).toEqual([
      answer(1),
      no('stash-full'),
      answer(1),
      answer(1),
      no('op-reused'),
      no('internal'),
      answer(0),
    ]);
  });

  it('keeps nothing back when everything is durable', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const asked = bench.ask(ADA, 'look');
    await bench.run(0);
    expect(asked.reply).toEqual(answer(0));
  });

  it('lets out in the order of the turns', async () => {
    const bench = await Bench.open();
    await bench.create(ADA, BOB);
    const order: string[] = [];
    for (const [index, shard] of [ADA, BOB, ADA, BOB, BOB].entries()) {
      const kind = index % 2 === 0 ? 'add' : 'look';
      void bench.world
        .accept({ to: shard, message: { kind, issuer: 'client', body: { value: 1 } } as Message })
        .then(() => order.push(`${index}`));
    }
    await bench.run(1_000);
    expect(order).toEqual(['0', '1', '2', '3', '4']);
  });

  it('stays shut after a fault: what was not durable is never answered, and no turn happens any more', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    const bench = await Bench.open({ disk });
    await bench.create(ADA);
    disk.inject((operation) => (operation === 'commit' ? 'write-then-fail' : 'work'));
    const asked = [bench.ask(ADA, 'add', { value: 1 }, { op: 'a' }), bench.ask(ADA, 'look')];
    await bench.run(1_000);
    const after = bench.ask(ADA, 'look');
    await bench.run(10_000);
    expect([...asked, after].map(({ reply }) => reply)).toEqual([undefined, undefined, undefined]);
    expect(bench.parts.loop.isStopped).toBe(true);
  });

  it('stays shut once the host has stopped, also if the commit under way succeeds', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const asked = bench.ask(ADA, 'add', { value: 1 });
    await bench.run(COMMIT_MS / 2);
    bench.parts.stop();
    await bench.run(1_000);
    expect([bench.persister.durable, asked.reply]).toEqual([bench.persister.appended, undefined]);
  });

  it('does not stand between shards of one node: cause and effect are one commit', async () => {
    const bench = await Bench.open();
    await bench.create(ADA, BOB);
    const { commits } = await bench.persister.stats();
    bench.ask(ADA, 'tell', { to: BOB, value: 5 });
    const look = bench.ask(BOB, 'look');
    await bench.run(1_000);
    expect(look.reply).toEqual(answer(5));
    expect((await bench.persister.stats()).commits).toBe(commits + 1);
  });

  it('tells the feed of changes of projected rows only, in the order of the journal, once durable', async () => {
    const bench = await Bench.open();
    await bench.create(ADA, BOB);
    const start = bench.persister.appended;
    const known = bench.changed.length;
    for (const [shard, kind] of [
      [ADA, 'add'],
      [ADA, 'begin'],
      [BOB, 'add'],
    ] as const)
      bench.ask(shard, kind, { value: 1 }, { op: `o${kind}${shard[0]}` });
    await bench.run(COMMIT_MS - 5);
    expect(bench.changed).toHaveLength(known);
    await bench.run(1_000);
    expect(bench.changed.slice(known)).toEqual([start + 1, start + 3]);
  });
});

describe('messages between shards of one node', () => {
  it('may lead to one another many times over: each is taken when the one before is done, not inside it', async () => {
    interface Ball extends Message {
      readonly left: number;
    }
    const ball = (left: number): Ball => ({ kind: 'ball', key: 'ball/1', left });
    const playing: Powerup = {
      name: 'playing',
      entities: [],
      handlers: {
        serve: (turn) => {
          turn.emit(BOB, ball(20_000));
          return answer(undefined);
        },
        ball: onMessage<Ball>((turn, { left }) => {
          if (left > 0) turn.emit(turn.shard === ADA ? BOB : ADA, ball(left - 1));
          else turn.insert(ballast, { data: new Uint8Array() });
          return DONE;
        }),
      },
    };
    const bench = await Bench.open({ powerups: [counting, playing] });
    await bench.create(ADA, BOB);
    const position = bench.persister.appended;
    bench.ask(ADA, 'serve');
    await bench.run(1_000);
    expect([bench.faults, bench.persister.appended]).toEqual([[], position + 1]);
  });
});

describe('a shard that has left memory', () => {
  it('takes no message and no turn any more: whoever still knows it is wrong', async () => {
    const bench = await Bench.open();
    const cellEpoch = { market: TEST_MARKET, cell: 0, epoch: epoch(1) };
    const active = new ActiveShard(ADA, { cellEpoch, parts: bench.parts, dropShard: () => undefined });
    const look: Message = { kind: 'look', issuer: 'client', body: {} } as Message;
    void active.accept({ message: look, creates: true });
    await bench.run(1_000);
    expect(active.evict()).toBe(true);
    const position = bench.persister.appended;
    expect(() => active.accept({ message: { kind: 'ping', key: 'ping/1', value: 1 } as Ping })).toThrow(AssertionFault);
    expect(() => active.accept({ message: look })).toThrow(AssertionFault);
    expect(() => active.wake()).toThrow(AssertionFault);
    await bench.run(1_000);
    expect(bench.persister.appended).toBe(position);
  });

  it('takes not even the second of two alarms if it has left at the first: the node stops', async () => {
    let isLeaving = false;
    const leaving: Powerup = {
      name: 'counting',
      entities: [counter],
      handlers: {
        two: (turn) => {
          for (const value of [1, 2]) turn.insert(counter, { value, due: instant(turn.now + 100) });
          return DONE;
        },
      },
      alarms: { 'count-up': onAlarm(counter, () => (isLeaving ? active.close() : undefined)) },
    };
    const bench = await Bench.open({ powerups: [leaving] });
    const cellEpoch = { market: TEST_MARKET, cell: 0, epoch: epoch(1) };
    const active = new ActiveShard(ADA, { cellEpoch, parts: bench.parts, dropShard: () => undefined });
    void active.accept({ message: { kind: 'two', issuer: 'client', body: {} } as Message, creates: true });
    await bench.run(50);
    isLeaving = true;
    await bench.run(1_000);
    expect(bench.faults).toEqual([expect.any(AssertionFault)]);
    expect(bench.parts.loop.isStopped).toBe(true);
  });
});

describe('a shard that is not in memory', () => {
  it('is loaded once, however many ask at once, and they are taken in their order', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const bench = await Bench.open({ disk });
    const asked = Array.from({ length: 50 }, () => bench.ask(ADA, 'add', { value: 1 }));
    await bench.run(1_000);
    expect(bench.backend.loads).toEqual([ADA]);
    expect(asked.map(({ reply }) => reply)).toEqual(asked.map((_, index) => answer(index + 1)));
  });

  it('that cannot be loaded is unavailable, and the failure is reported and forgotten (H9)', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const bench = await Bench.open({ disk });
    bench.backend.failuresLeft = 1;
    const failed = bench.ask(ADA, 'look');
    await bench.run(1_000);
    expect(failed.reply).toEqual(no('unavailable'));
    expect(bench.reported).toMatchObject([{ level: 'error', message: `${ADA} could not be loaded` }]);
    expect(bench.parts.memory.usage).toEqual({ shards: 0, bytes: 0 });
    const asked = bench.ask(ADA, 'look');
    await bench.run(1_000);
    expect(asked.reply).toEqual(answer(0));
  });

  it('that cannot be upgraded is unavailable, and stays as it is on the disk', async () => {
    const newer = defineEntity('counter', { version: 2, attributes: { value: integer({ min: 1 }) } });
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const upgraders = [upgrader(counter, newer, ({ value }) => ({ value }))];
    const bench = await Bench.open({
      disk,
      powerups: [{ name: 'counting', entities: [newer, ballast], upgraders, handlers: { look: () => DONE } }],
    });
    const asked = bench.ask(ADA, 'look');
    await bench.run(1_000);
    expect(asked.reply).toEqual(no('unavailable'));
    const old = await Bench.open({ disk });
    const again = old.ask(ADA, 'look');
    await old.run(1_000);
    expect(again.reply).toEqual(answer(0));
  });

  it('is upgraded before anybody is heard', async () => {
    const second = defineEntity('second', { version: 1, attributes: { value: integer() } });
    const more: Powerup = { name: 'more', entities: [second], install: (turn) => void turn.insert(second, { value: 7 }) };
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const bench = await Bench.open({ disk, powerups: [counting, more] });
    const asked = bench.ask(ADA, 'look');
    await bench.run(COMMIT_MS - 5);
    expect(asked.reply).toBeUndefined();
    await bench.run(1_000);
    expect(asked.reply).toEqual(answer(0));
    expect(await loaded(bench, ADA)).toMatchObject({ kind: 'found', shard: { version: 2 } });
  });
});

describe('a shard that does not exist', () => {
  it('is created by whoever may, and by nobody else', async () => {
    const bench = await Bench.open();
    const before = [bench.ask(ADA, 'look'), bench.ask(ADA, 'add', { value: 1 })];
    await bench.run(1_000);
    expect(before.map(({ reply }) => reply)).toEqual([nobody, nobody]);
    expect(bench.persister.appended).toBe(0);
    const asked = [bench.ask(ADA, 'add', { value: 1 }), bench.ask(ADA, 'add', { value: 1 }, { creates: true }), bench.ask(ADA, 'look')];
    await bench.run(1_000);
    expect(asked.map(({ reply }) => reply)).toEqual([nobody, answer(1), answer(1)]);
  });

  it('is not there if its creation is refused or fails', async () => {
    const bench = await Bench.open();
    const asked = [bench.ask(ADA, 'refuse', {}, { creates: true }), bench.ask(ADA, 'fail', {}, { creates: true }), bench.ask(ADA, 'look')];
    await bench.run(1_000);
    expect(asked.map(({ reply }) => reply)).toEqual([no('stash-full'), no('internal'), nobody]);
    expect(bench.parts.memory.usage.shards).toBe(0);
    expect(bench.reported.map(({ message }) => message)).toEqual([`${ADA} could not be created`]);
  });

  it('has no subscribers and no alarms, and leaves nothing in memory', async () => {
    const bench = await Bench.open();
    const subscribed: { reply?: Reply } = {};
    void bench.cell.subscribe(ADA, () => undefined).then((reply) => (subscribed.reply = reply));
    bench.cell.wakeShard(ADA);
    await bench.run(1_000);
    expect(subscribed.reply).toEqual(nobody);
    expect(bench.parts.memory.usage).toEqual({ shards: 0, bytes: 0 });
  });

  it('lets the node say what a message to it comes to, and sends that', async () => {
    const heard: string[] = [];
    const bench = await Bench.open({
      replyInPlaceOf: ({ to, message }) => {
        heard.push(`${message.kind} to ${to}`);
        return { to: BOB, message: { kind: 'ping', key: 'ping/2', value: 9 } as Ping };
      },
    });
    await bench.create(BOB);
    void bench.world.accept({ to: ADA, message: { kind: 'ping', key: 'ping/1', value: 1 } as Ping });
    await bench.run(1_000);
    const look = bench.ask(BOB, 'look');
    await bench.run(1_000);
    expect(heard).toEqual([`ping to ${ADA}`]);
    expect(look.reply).toEqual(answer(9));
  });
});

describe('an inbox', () => {
  it('is bounded: who comes too late is told busy at once, and nobody who is in is lost', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const bench = await Bench.open({ disk });
    const asked = Array.from({ length: limits.inboxMessagesMax }, () => bench.ask(ADA, 'add', { value: 1 }));
    const late = bench.ask(ADA, 'add', { value: 1 });
    const message = await bench.world.accept({ to: ADA, message: { kind: 'ping', key: 'ping/1', value: 1 } as Ping });
    const subscribed = await bench.cell.subscribe(ADA, () => undefined);
    await Promise.resolve();
    expect([late.reply, message, subscribed]).toEqual([no('busy'), no('busy'), no('busy')]);
    await bench.run(1_000);
    expect(asked.at(-1)?.reply).toEqual(answer(limits.inboxMessagesMax));
    const again = bench.ask(ADA, 'add', { value: 1 });
    await bench.run(1_000);
    expect(again.reply).toEqual(answer(limits.inboxMessagesMax + 1));
  });

  it('waits while the journal is full, and is taken up in order when it has caught up', async () => {
    const bench = await Bench.open();
    await bench.create(ADA, BOB);
    const size = limits.shardBytesMax - limits.shardBytesReserved - 4_096;
    while (!bench.persister.isFull) bench.ask(ADA, 'load', { size });
    const position = bench.persister.appended;
    const asked = [
      bench.ask(ADA, 'look'),
      bench.ask(BOB, 'add', { value: 1 }),
      bench.ask(BOB, 'look'),
      bench.ask(shardId('cat', 'europe', 'softcore'), 'look', {}, { creates: true }),
    ];
    await bench.run(COMMIT_MS / 2);
    expect(bench.persister.appended).toBe(position);
    expect(asked.map(({ reply }) => reply)).toEqual(asked.map(() => undefined));
    await bench.run(60_000);
    expect(asked.map(({ reply }) => reply)).toEqual([answer(0), answer(1), answer(1), answer(0)]);
    expect(bench.persister.isFull).toBe(false);
  });
});

describe('a command that waits for the outcome of its trade', () => {
  async function waiting(): Promise<{ readonly bench: Bench; readonly asked: { reply?: Reply }; readonly operation: number }> {
    const bench = await Bench.open();
    await bench.create(ADA);
    const asked = bench.ask(ADA, 'begin', {}, { op: 'a' });
    await bench.run(1_000);
    const found = await loaded(bench, ADA);
    const operation = found.kind === 'found' ? (found.shard.puts.find(({ table }) => table === 'operation_v1')?.id ?? 0) : 0;
    return { bench, asked, operation };
  }
  const end = (bench: Bench, operation: number) =>
    void bench.world.accept({ to: ADA, message: { kind: 'end', key: `end/${operation}`, operation } as Message });

  it('is answered by the turn that brings it, and so are its repeats', async () => {
    const { bench, asked, operation } = await waiting();
    const repeat = bench.ask(ADA, 'begin', {}, { op: 'a' });
    await bench.run(100);
    expect([asked.reply, repeat.reply]).toEqual([undefined, undefined]);
    end(bench, operation);
    await bench.run(COMMIT_MS - 10);
    expect(asked.reply).toBeUndefined();
    await bench.run(100);
    expect([asked.reply, repeat.reply]).toEqual([answer('ended'), answer('ended')]);
  });

  it('is told after a while that the outcome is unknown, and asking again tells the truth', async () => {
    const { bench, asked, operation } = await waiting();
    await bench.run(limits.outcomeWaitMs - 1_100);
    expect(asked.reply).toBeUndefined();
    await bench.run(500);
    expect(asked.reply).toEqual(no('outcome-unknown'));
    const again = bench.ask(ADA, 'begin', {}, { op: 'a' });
    end(bench, operation);
    await bench.run(1_000);
    expect(again.reply).toEqual(answer('ended'));
  });
});

describe('commands that wait for the outcomes of their trades', () => {
  it('are told each in its time that the outcome is unknown', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const first = bench.ask(ADA, 'begin', {}, { op: 'a' });
    await bench.run(1_000);
    const second = bench.ask(ADA, 'begin', {}, { op: 'b' });
    await bench.run(limits.outcomeWaitMs - 500);
    expect([first.reply, second.reply]).toEqual([no('outcome-unknown'), undefined]);
    await bench.run(1_000);
    expect(second.reply).toEqual(no('outcome-unknown'));
  });
});

describe('a subscriber', () => {
  const subscribe = (bench: Bench, shard: ShardId) => {
    const news: ShardNews[] = [];
    const listener = (one: ShardNews): void => void news.push(one);
    const subscribed: { reply?: Reply } = {};
    void bench.cell.subscribe(shard, listener).then((reply) => (subscribed.reply = reply));
    return { news, listener, subscribed };
  };
  const told = (news: readonly ShardNews[]) =>
    news.map((one) =>
      one.kind === 'snapshot'
        ? `snapshot ${one.header.version}: ${String(one.rows('counter')[0]?.['value'])}`
        : `change ${one.changes.version}`,
    );

  it('hears how the shard stands and then every change, in order, durable, none twice and none left out', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    bench.ask(ADA, 'add', { value: 5 });
    const { news, subscribed } = subscribe(bench, ADA);
    bench.ask(ADA, 'add', { value: 1 });
    bench.ask(ADA, 'refuse');
    await bench.run(COMMIT_MS - 5);
    expect([told(news), subscribed.reply]).toEqual([[], undefined]);
    await bench.run(100);
    bench.ask(ADA, 'add', { value: 1 });
    await bench.run(100);
    expect(told(news)).toEqual(['snapshot 2: 5', 'change 3', 'change 4']);
    expect(subscribed.reply).toEqual(answer(undefined));
  });

  it('hears a change before the answer to the command that made it', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const { news } = subscribe(bench, ADA);
    await bench.run(100);
    let heardBefore: readonly string[] = [];
    void bench.world
      .accept({ to: ADA, message: { kind: 'add', issuer: 'client', body: { value: 1 } } as Message })
      .then(() => (heardBefore = told(news)));
    await bench.run(100);
    expect(heardBefore).toEqual(['snapshot 1: 0', 'change 2']);
  });

  it('may ask something of the shard while it hears: that waits for its turn', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const news: ShardNews[] = [];
    void bench.cell.subscribe(ADA, (one) => {
      news.push(one);
      if (one.kind === 'snapshot') bench.ask(ADA, 'add', { value: 1 });
    });
    await bench.run(1_000);
    expect(told(news)).toEqual(['snapshot 1: 0', 'change 2']);
  });

  it('hears nothing more once it has left, not even what was under way', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    const { news, listener } = subscribe(bench, ADA);
    await bench.run(100);
    bench.ask(ADA, 'add', { value: 1 });
    bench.cell.unsubscribe(ADA, listener);
    bench.ask(ADA, 'add', { value: 1 });
    await bench.run(1_000);
    expect(told(news)).toEqual(['snapshot 1: 0']);
  });

  it('may leave before the shard is loaded, and then holds nothing in memory', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    await (await Bench.open({ disk })).create(ADA);
    const bench = await Bench.open({ disk, memoryBudgetBytes: 0 });
    const { news, listener, subscribed } = subscribe(bench, ADA);
    bench.cell.unsubscribe(ADA, listener);
    await bench.run(1_000);
    expect([told(news), subscribed.reply]).toEqual([[], no('unavailable')]);
    await bench.create(BOB);
    bench.ask(BOB, 'add', { value: 1 });
    await bench.run(1_000);
    expect(bench.parts.memory.usage.shards).toBeLessThanOrEqual(1);
  });
});

describe('alarms', () => {
  const valueOf = async (bench: Bench, shard: ShardId) => {
    const look = bench.ask(shard, 'look');
    await bench.run(100);
    return look.reply;
  };

  it('of a shard in memory ring in time, without anybody asking', async () => {
    const bench = await Bench.open();
    await bench.create(ADA);
    bench.ask(ADA, 'ring', { afterMs: 5_000 });
    await bench.run(4_800);
    expect(await valueOf(bench, ADA)).toEqual(answer(0));
    await bench.run(200);
    expect(await valueOf(bench, ADA)).toEqual(answer(1_000));
  });

  it('of a shard on the disk are found there, and ring when it is woken', async () => {
    const disk = new MemoryDisk(defineShard([counting]));
    const first = await Bench.open({ disk });
    await first.create(ADA, BOB);
    first.ask(ADA, 'ring', { afterMs: 100 });
    await first.run(60_000);
    const second = await Bench.open({ disk });
    await second.run(60_000);
    await second.create(BOB);
    second.cell.wakeShard(ADA);
    await second.run(100);
    expect(await valueOf(second, ADA)).toEqual(answer(1_000));
  });

  it('that cannot be handled are tried again and again, but do not spin', async () => {
    let rings = 0;
    const broken: Powerup = { ...counting, alarms: { 'count-up': () => void rings++ } };
    const bench = await Bench.open({ powerups: [broken] });
    await bench.create(ADA);
    bench.ask(ADA, 'ring', { afterMs: 10 });
    await bench.run(1_000);
    expect(rings).toBeGreaterThan(10);
    expect(rings).toBeLessThanOrEqual(50);
  });
});

describe('eviction', () => {
  const many = Array.from({ length: 40 }, (_, index) => shardId(`player${index}`, 'europe', 'softcore'));

  it('keeps the memory within its budget, and what was evicted comes back as it was', async () => {
    const budget = 12 * 9_000;
    const bench = await Bench.open({ memoryBudgetBytes: budget });
    await bench.create(...many);
    for (const [index, shard] of many.entries()) {
      bench.ask(shard, 'add', { value: index });
      await bench.run(100);
    }
    expect(bench.parts.memory.usage.bytes).toBeLessThanOrEqual(budget * 1.2);
    expect(bench.parts.memory.usage.shards).toBeLessThan(16);
    for (const [index, shard] of many.entries()) {
      const look = bench.ask(shard, 'look');
      await bench.run(100);
      expect(look.reply).toEqual(answer(index));
    }
    expect(bench.backend.loads.length).toBeGreaterThan(many.length);
  });

  it('never takes a shard with a turn that is not durable', async () => {
    const bench = await Bench.open({ memoryBudgetBytes: 0 });
    await bench.create(ADA);
    bench.ask(ADA, 'add', { value: 1 });
    for (const shard of many) bench.ask(shard, 'look', {}, { creates: true });
    await bench.run(COMMIT_MS - 5);
    const look = bench.ask(ADA, 'look');
    await bench.run(1_000);
    expect(look.reply).toEqual(answer(1));
  });

  it('never takes a shard that somebody watches or waits for', async () => {
    const bench = await Bench.open({ memoryBudgetBytes: 0 });
    await bench.create(ADA, BOB);
    const news: ShardNews[] = [];
    void bench.cell.subscribe(ADA, (one) => void news.push(one));
    const waits = bench.ask(BOB, 'begin', {}, { op: 'a' });
    await bench.run(100);
    for (let round = 0; round < 3; round++) {
      await bench.create(...many);
      for (const shard of many) bench.ask(shard, 'add', { value: 1 });
      await bench.run(500);
    }
    const loads = bench.backend.loads.length;
    bench.ask(ADA, 'add', { value: 1 });
    bench.ask(BOB, 'look');
    await bench.run(100);
    expect(bench.backend.loads).toHaveLength(loads);
    expect(news.map(({ kind }) => kind)).toEqual(['snapshot', 'change']);
    await bench.run(limits.outcomeWaitMs);
    expect(waits.reply).toEqual(no('outcome-unknown'));
  });
});

async function loaded(bench: Bench, shard: ShardId): ReturnType<Persister['load']> {
  const loading = bench.persister.load(shard);
  await bench.run(100);
  return loading;
}
