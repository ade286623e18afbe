/**
 * The link of a node to the others: envelopes and replies as bytes over a bus that may lose,
 * double, delay and reorder them.
 *
 * 1. Nothing leaves before the output gate lets it: another node learns only what is durable.
 * 2. A message between shards is sent and forgotten: rows and alarms drive it again.
 * 3. A command waits for its reply for a bounded time; then its outcome is unknown, and its `op`
 *    tells the truth when asked again.
 * 4. A command is taken at most once, soon or never, and a reply reaches only the call that it
 *    answers, in the life that made it.
 */
import { limits } from '#shared/limits.ts';
import { refusal } from '#shared/refusals.ts';
import type { NodeName } from '#shared/units.ts';
import type { Platform } from '#server/platform/platform.ts';
import { isCommand, type Reply } from '#server/shard/message.ts';
import { TAKEN, type Envelope, type Part } from './part.ts';
import { TakenCalls } from './taken-calls.ts';
import { decodePacket, encodePacket, type Call, type DecodeMessage, type NodePacket } from './wire.ts';

/** Carries bytes between nodes; may lose, double, delay and reorder, never change. */
export interface Bus {
  send(to: NodeName, bytes: Uint8Array): void;
  onReceive(listener: (from: NodeName, bytes: Uint8Array) => void): void;
}

/** What a link needs from its surroundings. */
export interface LinkOptions {
  readonly bus: Bus;
  /** Runs what it is given once everything appended so far is durable. */
  readonly gate: { release(run: () => void): void };
  readonly platform: Pick<Platform, 'clock' | 'timers' | 'random' | 'report'>;
  /** Where envelopes from other nodes go. */
  readonly world: Part;
  readonly decodeMessage: DecodeMessage;
}

/** Commands that wait for other nodes at most; beyond it, `busy`. */
const CALLS_MAX = 10_000;

/** Carries envelopes to the cells of other nodes, and those of others to its own. One per node. */
export class Link {
  readonly #options: LinkOptions;
  readonly #life: string;
  readonly #taken: TakenCalls;
  readonly #calls = new Map<number, (reply: Reply) => void>();
  #nextCall = 1;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#life = options.platform.random.id();
    this.#taken = new TakenCalls(options.platform.clock.now());
    options.bus.onReceive((from, bytes) => this.#receive(from, bytes));
  }

  /** A cell that lives on another node, as a part of this one's world. */
  remoteCell(owner: NodeName): Part {
    return { accept: (envelope) => this.#forward(owner, envelope) };
  }

  #forward(owner: NodeName, envelope: Envelope): Promise<Reply> {
    if (!isCommand(envelope.message)) {
      this.#send(owner, { kind: 'envelope', call: null, envelope });
      return TAKEN;
    }
    if (this.#calls.size >= CALLS_MAX) return Promise.resolve(refusal('busy'));
    const { clock, timers } = this.#options.platform;
    const call: Call = { life: this.#life, number: this.#nextCall++, sentAt: clock.now() };
    return new Promise((resolve) => {
      const silence = refusal(isCommand(envelope.message) && envelope.message.op !== undefined ? 'outcome-unknown' : 'unavailable');
      const cancel = timers.after(limits.forwardedReplyWaitMs, () => this.#finish(call, silence));
      this.#calls.set(call.number, (reply) => {
        cancel();
        resolve(reply);
      });
      this.#send(owner, { kind: 'envelope', call, envelope });
    });
  }

  #finish({ life, number }: Call, reply: Reply): void {
    if (life !== this.#life) return;
    const resolve = this.#calls.get(number);
    this.#calls.delete(number);
    resolve?.(reply);
  }

  #send(to: NodeName, packet: NodePacket): void {
    const bytes = encodePacket(packet);
    this.#options.gate.release(() => this.#options.bus.send(to, bytes));
  }

  #receive(from: NodeName, bytes: Uint8Array): void {
    const packet = decodePacket(bytes, this.#options.decodeMessage);
    if (packet === undefined) {
      this.#options.platform.report({ level: 'warning', message: `node ${from} sent ${bytes.length} bytes that are no packet` });
      return;
    }
    if (packet.kind === 'reply') return this.#finish(packet.call, packet.reply);
    const { call, envelope } = packet;
    if (call === null) void this.#options.world.accept(envelope);
    else this.#take(from, call, envelope);
  }

  #take(from: NodeName, call: Call, envelope: Envelope): void {
    const respond = (reply: Reply): void => this.#send(from, { kind: 'reply', call, reply });
    switch (this.#taken.receive(`${from} ${call.life} ${call.number}`, call.sentAt, this.#options.platform.clock.now())) {
      case 'take':
        void this.#options.world.accept(envelope).then(respond);
        return;
      case 'turn-away':
        return respond(refusal('unavailable', { reason: 'the node has just started, or the clocks of the nodes differ' }));
      case 'forget':
    }
  }
}
