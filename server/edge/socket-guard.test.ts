import { getMessageBytes, Protocol, ResponseStatus } from '@colyseus/core';
import { describe, expect, it } from '@jest/globals';
import { unpack } from 'msgpackr';
import { EventEmitter } from 'node:events';
import { limits } from '#shared/limits.ts';
import { commands } from '#shared/protocol.ts';
import { instant, playerId } from '#shared/units.ts';
import { Accounts, type Account } from './budgets/accounts.ts';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import { isFaultResponse, readFrame } from './frame.ts';
import { guardSocket } from './socket-guard.ts';

/** The outside of the guard: what the package `ws` gives, here without a wire. */
class Wire extends EventEmitter {
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  readonly closed: number[] = [];
  isPaused = false;
  isDestroyed = false;

  send(data: Uint8Array): void {
    this.sent.push(data);
  }

  close(code: number): void {
    this.closed.push(code);
  }

  pause(): void {
    this.isPaused = true;
  }

  terminate(): void {
    this.isDestroyed = true;
  }
}

interface Guarded {
  readonly wire: Wire;
  /** Lets all that was to be done after that many milliseconds happen. */
  readonly wait: (ms: number) => void;
}

const guardedBy = (now: () => number, account?: Account): Guarded => {
  const wire = new Wire();
  const readings = { wall: () => instant(0), monotonicMs: now };
  const timers = new Map<() => void, number>();
  const after = (ms: number, run: () => void) => {
    timers.set(run, ms);
    return () => void timers.delete(run);
  };
  const spends = account ?? new Accounts(readings, { perSecond: 1_000, burst: 1_000 }).of(playerId('ada'), '192.0.2.1');
  guardSocket(wire, spends, { timers: { after, defer: () => undefined }, report: () => undefined });
  return { wire, wait: (ms) => timers.forEach((due, run) => due <= ms && run()) };
};

const guarded = (now = () => 1_000): Wire => guardedBy(now).wire;

const PING = Uint8Array.of(Protocol.PING);
const JOINED = Uint8Array.of(Protocol.JOIN_ROOM);
const RULES = Uint8Array.of(Protocol.ROOM_REQUEST, 1, 0xa5, ...Buffer.from('rules'));
const BUYOUT = Uint8Array.of(Protocol.ROOM_REQUEST, 1, 0xa6, ...Buffer.from('buyout'));

describe('the guard of a socket', () => {
  it('sends copies: what is encoded next must not change what a slow socket still holds', () => {
    const wire = guarded();
    const shared = Uint8Array.of(1, 2, 3);
    wire.send(shared);
    shared.fill(9);
    expect([...(wire.sent[0] ?? [])]).toEqual([1, 2, 3]);
  });

  it('closes a client that does not read, and gives it no more', () => {
    const wire = guarded();
    wire.bufferedAmount = limits.clientBufferedBytesMax;
    wire.send(PING);
    wire.bufferedAmount += 1;
    wire.send(PING);
    wire.send(PING);
    expect([wire.sent.length, wire.closed]).toEqual([1, [CLOSE_CODES.slowReader]]);
  });

  it('closes instead of telling what Colyseus could not decode', () => {
    const wire = guarded();
    wire.send(getMessageBytes[Protocol.ROOM_RESPONSE](300, ResponseStatus.ERROR, { name: 'Error', message: 'inner workings' }));
    expect([wire.sent, wire.closed]).toEqual([[], [CLOSE_CODES.badMessage]]);
  });

  it('ends whatever a listener throws', () => {
    const wire = guarded();
    wire.on('message', () => {
      throw new Error('a bug');
    });
    expect(wire.emit('message', PING, true)).toBe(false);
    expect(wire.closed).toEqual([CLOSE_CODES.badMessage]);
  });

  it('passes on other events, and messages that it knows', () => {
    const wire = guarded();
    const heard: unknown[] = [];
    wire.on('pong', (value) => heard.push(value));
    wire.on('message', (value) => heard.push(value));
    wire.emit('pong', 1);
    wire.emit('message', PING, true);
    expect(heard).toEqual([1, PING]);
  });

  it('closes who floods with pings, and reads nothing more of them', () => {
    const wire = guarded();
    wire.on('message', () => undefined);
    for (let index = 0; index < limits.playerTokensBurst * 12; index++) wire.emit('message', PING, true);
    expect([wire.sent.length, wire.closed, wire.isPaused]).toEqual([0, [CLOSE_CODES.tooManyMessages], true]);
  });

  it('closes who floods with pings of the protocol below, or lets the answers to them pile up', () => {
    const [flooding, slow] = [guarded(), guarded()];
    for (let index = 0; index < limits.playerTokensBurst * 12; index++) flooding.emit('ping');
    slow.bufferedAmount = limits.clientBufferedBytesMax + 1;
    slow.emit('ping');
    expect([flooding.closed, slow.closed]).toEqual([[CLOSE_CODES.tooManyMessages], [CLOSE_CODES.slowReader]]);
  });

  it('destroys a socket that does not join in time, and no other', () => {
    const [silent, joined, left] = [guardedBy(() => 0), guardedBy(() => 0), guardedBy(() => 0)];
    silent.wire.emit('message', JOINED, true);
    joined.wire.on('message', () => undefined);
    joined.wire.emit('message', JOINED, true);
    left.wire.emit('close', 1_000);
    for (const { wait } of [silent, joined, left]) wait(limits.joinMs);
    expect([silent, joined, left].map(({ wire }) => wire.isDestroyed)).toEqual([true, false, false]);
  });

  it('destroys a socket that does not hear that it is closed', () => {
    const { wire, wait } = guardedBy(() => 0);
    wire.emit('message', Uint8Array.of(99), true);
    expect([wire.closed, wire.isDestroyed]).toEqual([[CLOSE_CODES.badMessage], false]);
    wait(limits.closeMs);
    expect(wire.isDestroyed).toBe(true);
  });

  it('charges nothing to the player of a room before the socket has joined it', () => {
    const readings = { wall: () => instant(0), monotonicMs: () => 0 };
    const account = new Accounts(readings, { perSecond: 1_000, burst: 1_000 }).of(playerId('ada'), '192.0.2.1');
    const { wire } = guardedBy(() => 0, account);
    for (let index = 0; index < 100; index++) wire.emit('message', RULES, true);
    expect(account.charge(1)).toBeUndefined();
  });

  it('charges all connections of a player together, each command by its cost, and says how long to wait', () => {
    const readings = { wall: () => instant(0), monotonicMs: () => 0 };
    const account = new Accounts(readings, { perSecond: 1_000, burst: 1_000 }).of(playerId('ada'), '192.0.2.1');
    const wires = [guardedBy(() => 0, account).wire, guardedBy(() => 0, account).wire];
    let heard = 0;
    for (const wire of wires) wire.on('message', () => heard++);
    for (let index = 0; index < limits.playerTokensBurst; index++) wires[index % 2]?.emit('message', BUYOUT, true);
    expect(heard).toBe(Math.ceil(limits.playerTokensBurst / commands.buyout.cost));
    const [refused] = wires.flatMap(({ sent }) => sent);
    expect(unpack(refused?.subarray(3) ?? new Uint8Array())).toMatchObject({
      name: 'rate-limited',
      details: { cost: commands.buyout.cost, retryAfterMs: 50 },
    });
  });
});

describe('a flood', () => {
  it.each([
    ['of a thousand a second is closed, though some of it is served all the time', 1_000, true],
    ['of fifty a second is refused what is too much for some time, and closed', 50, true],
    ['of thirty a second is refused what is too much, and stays', 30, false],
    ['of nineteen a second is none', 19, false],
  ])('%s', (_, perSecond, isClosed) => {
    let now = 0;
    const wire = guarded(() => now);
    wire.on('message', () => undefined);
    for (let index = 0; index < perSecond * 120; index++) {
      now = Math.floor((index * 1_000) / perSecond);
      wire.emit('message', RULES, true);
    }
    expect(wire.closed).toEqual(isClosed ? [CLOSE_CODES.tooManyMessages] : []);
  });
});

describe('frames', () => {
  it.each([0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1])('of Colyseus are read back: request %i', (id) => {
    const response = getMessageBytes[Protocol.ROOM_RESPONSE](id, ResponseStatus.OK, undefined);
    const request = Uint8Array.of(Protocol.ROOM_REQUEST, ...response.subarray(1, -1), 0xa4, ...Buffer.from('sell'));
    expect(readFrame(request)).toEqual({ kind: 'request', id, type: 'sell' });
    expect(isFaultResponse(response)).toBe(false);
    expect(isFaultResponse(getMessageBytes[Protocol.ROOM_RESPONSE](id, ResponseStatus.ERROR, {}))).toBe(true);
    expect(isFaultResponse(getMessageBytes[Protocol.ROOM_RESPONSE](id, ResponseStatus.REJECTED, {}))).toBe(false);
  });

  it.each([
    ['in a form that Colyseus does not write', [0xcf, 1, 0, 0, 0, 0, 0, 0, 0]],
    ['with a sign', [0xd0, 5]],
    ['as a short negative number', [0xff]],
    ['that is not whole', [0xcb, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f]],
  ])('with a number %s are rubbish', (_, id) => {
    expect(readFrame(Uint8Array.of(Protocol.ROOM_REQUEST, ...id, 0xa4, ...Buffer.from('sell')))).toBeUndefined();
  });

  it('that end in the middle of a number are rubbish', () => {
    expect(readFrame(Uint8Array.of(Protocol.ROOM_REQUEST, 0xce, 1, 0, 0))).toBeUndefined();
  });
});
