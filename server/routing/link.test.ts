import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { refusal } from '#shared/refusals.ts';
import { transactionId } from '#server/trade/transaction.ts';
import { instant, nodeName, type NodeName, position } from '#shared/units.ts';
import { OutputGate } from '#server/cell/output-gate.ts';
import type { Envelope, Part } from './part.ts';
import { Hand, Journal } from '#server/cell/testing/hand.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { answer, type Reply } from '#server/shard/message.ts';
import { ADA, BOB, command } from '#server/shard/testing/shard-driver.ts';
import { promisesSettled } from '#server/sim/scheduler.ts';
import { decodeTradeMessage, messageKey } from '#server/trade/messages.ts';
import { Link, type Bus } from './link.ts';
import { TAKE_MS, TakenCalls } from './taken-calls.ts';

const TX = transactionId({ holder: ADA, generation: 1, seq: 1 });
const SETTLED = { kind: 'settled', key: messageKey('settled', TX), tx: TX };
const [ONE, TWO] = [nodeName('one'), nodeName('two')];
/** A node refuses what may have been sent before its start: tests begin well after it. */
const AFTER_START_MS = 10_000;

/** One end of a wire: a link with its own gate, in front of a part that keeps what it is given. */
class End {
  readonly journal = new Journal();
  readonly gate = new OutputGate(this.journal);
  readonly accepted: Envelope[] = [];
  readonly reported: ReportedEvent[] = [];
  readonly link: Link;
  reply: Reply | Promise<Reply> = answer('done');
  receive: (from: NodeName, bytes: Uint8Array) => void = () => undefined;

  constructor(hand: Hand, life: string, send: Bus['send']) {
    const world: Part = {
      accept: (envelope) => {
        this.accepted.push(envelope);
        return Promise.resolve(this.reply);
      },
    };
    this.link = new Link({
      bus: { send, onReceive: (listener) => (this.receive = listener) },
      gate: this.gate,
      platform: {
        clock: hand.clock,
        timers: hand.timers,
        random: { id: () => life, bytes: (count) => new Uint8Array(count), fraction: () => 0 },
        report: (event) => this.reported.push(event),
      },
      world,
      decodeMessage: decodeTradeMessage,
    });
  }
}

/** Two ends and what is on the wire between them. */
function wire() {
  const hand = new Hand();
  const sent: { readonly to: NodeName; readonly bytes: Uint8Array }[] = [];
  const end = (life: string): End => new End(hand, life, (to, bytes) => sent.push({ to, bytes }));
  const one = end('life-one');
  const two = end('life-two');
  hand.move(AFTER_START_MS);
  /** Delivers everything on the wire; `times` is how often each packet comes. */
  const deliver = async (times = 1): Promise<void> => {
    for (const { to, bytes } of sent.splice(0)) {
      for (let time = 0; time < times; time++) (to === TWO ? two : one).receive(to === TWO ? ONE : TWO, bytes);
    }
    await promisesSettled();
  };
  return { hand, sent, one, two, deliver, newLife: end };
}

const packetOf = ({ bytes }: { readonly bytes: Uint8Array }): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;

describe('a link', () => {
  it('carries a command to the owner of the cell and its reply back, with all that they say', async () => {
    const { one, two, deliver } = wire();
    two.reply = refusal('price-out-of-range', { priceMin: 1 });
    const asked = one.link.remoteCell(TWO).accept({ to: BOB, message: command('sell', { itemId: 'x' }, 'op-1'), creates: true });
    await deliver();
    await deliver();
    expect(two.accepted).toEqual([{ to: BOB, message: command('sell', { itemId: 'x' }, 'op-1'), creates: true }]);
    expect(await asked).toEqual(refusal('price-out-of-range', { priceMin: 1 }));
  });

  it('sends a message between shards and forgets it: nobody waits for its reply', async () => {
    const { one, two, deliver, sent, hand } = wire();
    expect(await one.link.remoteCell(TWO).accept({ to: BOB, message: SETTLED })).toEqual(answer(undefined));
    await deliver();
    expect(two.accepted).toEqual([{ to: BOB, message: SETTLED, creates: false }]);
    expect([sent.length, hand.waiting]).toEqual([0, 0]);
  });

  it('lets nothing leave before the gate does, neither the question nor the reply', async () => {
    const { one, two, deliver, sent } = wire();
    one.journal.appended = position(5);
    void one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    expect(sent).toEqual([]);
    one.journal.confirm(position(5));
    expect(sent).toHaveLength(1);
    two.journal.appended = position(9);
    await deliver();
    expect(sent).toEqual([]);
    two.journal.confirm(position(9));
    expect(sent).toHaveLength(1);
  });

  it('takes a command once, and hears its reply once, however often they come', async () => {
    const { one, two, deliver } = wire();
    const asked = one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    await deliver(3);
    await deliver(3);
    expect(two.accepted).toHaveLength(1);
    expect(await asked).toEqual(answer('done'));
  });

  it('tells a command whose reply is lost that its outcome is unknown, and is not confused by the reply that comes too late', async () => {
    const { one, two, deliver, sent, hand } = wire();
    const asked = one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    await deliver();
    const late = sent.splice(0);
    hand.move(8_000);
    expect(await asked).toEqual(refusal('unavailable'));
    const next = one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    for (const { bytes } of late) one.receive(TWO, bytes);
    two.reply = answer('the right one');
    await deliver();
    await deliver();
    expect(await next).toEqual(answer('the right one'));
    expect(hand.waiting).toBe(0);
  });

  it('never gives the reply of a call of an earlier life to a call of this one (H10)', async () => {
    const { one, two, deliver, sent, newLife, hand } = wire();
    void one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    await deliver();
    const ofEarlierLife = sent.splice(0);
    const again = newLife('another-life');
    const asked = again.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    for (const { bytes } of ofEarlierLife) again.receive(TWO, bytes);
    two.reply = answer('mine');
    for (const { bytes } of sent.splice(0)) two.receive(ONE, bytes);
    await promisesSettled();
    for (const { bytes } of sent.splice(0)) again.receive(TWO, bytes);
    expect(await asked).toEqual(answer('mine'));
    expect(hand.waiting).toBeGreaterThan(0);
  });

  it('is bounded: beyond 10,000 commands that wait, the next is busy, and the others are still answered', async () => {
    const { one, two, deliver } = wire();
    const asked = Array.from({ length: 10_000 }, () => one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) }));
    expect(await one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) })).toEqual(refusal('busy'));
    await deliver();
    await deliver();
    expect(await asked.at(-1)).toEqual(answer('done'));
    expect(two.accepted).toHaveLength(10_000);
  });
});

describe('bytes from another node', () => {
  it('that are anything at all do no harm, and are reported', async () => {
    const { two } = wire();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        async (bytes) => {
          two.receive(ONE, bytes);
          await promisesSettled();
        },
      ),
    );
    expect(two.accepted).toEqual([]);
    expect(new Set(two.reported.map(({ level }) => level))).toEqual(new Set(['warning']));
  });

  it.each<[string, (packet: Record<string, unknown>) => unknown]>([
    ['cut short', (packet) => JSON.stringify(packet).slice(0, -1)],
    ['with an address that is none', (packet) => ({ ...packet, envelope: { ...(packet['envelope'] as object), to: 'bob' } })],
    ['without an address', (packet) => ({ ...packet, envelope: { message: SETTLED } })],
    ['without an envelope', ({ envelope: _envelope, ...packet }) => packet],
    ['of no kind', ({ kind: _kind, ...packet }) => packet],
    ['of another kind', (packet) => ({ ...packet, kind: 'gossip' })],
    ['with a message that nobody knows', (packet) => ({ ...packet, envelope: { to: BOB, message: { kind: 'steal', key: 'x' } } })],
    ['with a command that is no call', (packet) => ({ ...packet, call: null })],
    ['with a trade message that is a call', (packet) => ({ ...packet, envelope: { to: BOB, message: SETTLED } })],
    ['with a call that is no number', (packet) => ({ ...packet, call: { ...(packet['call'] as object), number: 'one' } })],
    ['with a call before 1970', (packet) => ({ ...packet, call: { ...(packet['call'] as object), sentAt: -1 } })],
    ['a reply that is none', (packet) => ({ kind: 'reply', call: packet['call'], reply: { kind: 'maybe' } })],
    ['a refusal that nobody knows', (packet) => ({ kind: 'reply', call: packet['call'], reply: { kind: 'refusal', name: 'because' } })],
    ['a list', (packet) => [packet]],
  ])('are no packet: %s', async (_name, change) => {
    const { one, two, sent } = wire();
    void one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    const [packet] = sent.splice(0).map(packetOf);
    const changed = change(packet ?? {});
    two.receive(ONE, new TextEncoder().encode(typeof changed === 'string' ? changed : JSON.stringify(changed)));
    await promisesSettled();
    expect(two.accepted).toEqual([]);
    expect(two.reported).toHaveLength(1);
  });

  it('may not say that a shard is to be created in other words than true', async () => {
    const { one, two, sent } = wire();
    void one.link.remoteCell(TWO).accept({ to: BOB, message: command('look', {}) });
    const [packet] = sent.splice(0).map(packetOf);
    two.receive(
      ONE,
      new TextEncoder().encode(JSON.stringify({ ...packet, envelope: { ...(packet?.['envelope'] as object), creates: 'yes' } })),
    );
    await promisesSettled();
    expect(two.accepted).toMatchObject([{ creates: false }]);
  });
});

describe('taken calls', () => {
  const start = instant(1_000_000);
  const at = (ms: number) => instant(start + ms);

  it('are taken once, soon, and not if they may have been sent to the life before', () => {
    const taken = new TakenCalls(start);
    expect(taken.receive('early', at(2_500), at(2_500))).toBe('turn-away');
    expect(taken.receive('a', at(2_501), at(2_600))).toBe('take');
    expect(taken.receive('a', at(2_501), at(2_700))).toBe('forget');
    expect(taken.receive('b', at(2_501), at(2_501 + TAKE_MS))).toBe('take');
    expect(taken.receive('c', at(2_501), at(2_502 + TAKE_MS))).toBe('forget');
  });

  it('are never taken again, however late their copies come and however far the clocks of two nodes are apart', () => {
    const delay = fc.integer({ min: 0, max: 30_000 });
    fc.assert(
      fc.property(
        fc.integer({ min: -2_500, max: 2_500 }),
        fc.integer({ min: 6_000, max: 20_000 }),
        fc.array(delay, { minLength: 2, maxLength: 12 }),
        (offsetMs, sentAfterMs, delays) => {
          const taken = new TakenCalls(start);
          const sentAt = at(sentAfterMs + offsetMs);
          const receptions = delays.toSorted((a, b) => a - b).map((ms) => taken.receive('call', sentAt, at(sentAfterMs + ms)));
          expect(receptions.filter((reception) => reception === 'take').length).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});
