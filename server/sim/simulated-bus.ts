/**
 * The network between simulated nodes: it loses, doubles, delays and reorders what it carries, and cuts nodes off, but never changes a
 * byte. What was sent before a crash may still arrive, also at the next life of its receiver.
 */
import type { Prng } from '#shared/prng.ts';
import type { NodeName } from '#shared/units.ts';
import type { Bus } from '#server/routing/link.ts';
import type { Scheduler } from './scheduler.ts';
import type { Life } from './virtual-platform.ts';

/** How bad the network is. Shares are probabilities from 0 to 1. */
export interface BusWeather {
  readonly lossShare: number;
  readonly doubleShare: number;
  readonly delayUsMin: number;
  readonly delayUsMax: number;
  /** Packets that come very late, long after everybody has given them up. */
  readonly strayShare: number;
  readonly strayDelayUsMax: number;
}

/** A network of one building on a good day: nothing is lost, and only the order varies a little. */
export const CALM_WEATHER: BusWeather = {
  lossShare: 0,
  doubleShare: 0,
  delayUsMin: 50,
  delayUsMax: 800,
  strayShare: 0,
  strayDelayUsMax: 0,
};

/** A packet on its way, as a directed test sees it. */
export interface BusPacket {
  readonly from: NodeName;
  readonly to: NodeName;
  readonly bytes: Uint8Array;
}

/** What a directed test wants done with a packet: let it go, lose it, or have it come again (also) after so much time. */
export type PacketFate = { readonly kind: 'pass' } | { readonly kind: 'lose' } | { readonly kind: 'again'; readonly afterUs: number };

type Receiver = (from: NodeName, bytes: Uint8Array) => void;

export class SimulatedBus {
  readonly #scheduler: Scheduler;
  readonly #prng: Prng;
  readonly #receivers = new Map<NodeName, Receiver>();
  readonly #cutOff = new Set<NodeName>();
  #weather: BusWeather = CALM_WEATHER;
  #rule: (packet: BusPacket) => PacketFate = () => ({ kind: 'pass' });

  constructor(scheduler: Scheduler, prng: Prng) {
    this.#scheduler = scheduler;
    this.#prng = prng;
  }

  /** Changes the weather for what is sent from now on. */
  weather(weather: BusWeather): void {
    this.#weather = weather;
  }

  /** Has a directed test decide about every packet. */
  rule(rule: (packet: BusPacket) => PacketFate): void {
    this.#rule = rule;
  }

  /** From now on nothing leaves the node and nothing reaches it. */
  cutOff(node: NodeName): void {
    this.#cutOff.add(node);
  }

  /** Ends a cut. */
  mend(node: NodeName): void {
    this.#cutOff.delete(node);
  }

  /** The end of the bus at one life of a node. */
  port(node: NodeName, life: Life): Bus {
    return {
      send: (to, bytes) => {
        if (!life.isOver) this.#send({ from: node, to, bytes: bytes.slice() });
      },
      onReceive: (listener) => {
        this.#receivers.set(node, (from, bytes) => {
          if (life.isOver) return;
          try {
            listener(from, bytes);
          } catch (error) {
            life.onThrow(error);
          }
        });
      },
    };
  }

  /** Has a packet arrive that nobody sent. */
  inject(packet: BusPacket): void {
    this.#carry(packet, 0);
  }

  #send(packet: BusPacket): void {
    const ruling = this.#rule(packet);
    if (ruling.kind === 'lose' || this.#prng.chance(this.#weather.lossShare)) return;
    this.#carry(packet, this.#delayUs());
    if (this.#prng.chance(this.#weather.doubleShare)) this.#carry(packet, this.#delayUs());
    if (ruling.kind === 'again') this.#carry(packet, ruling.afterUs);
  }

  #delayUs(): number {
    const { delayUsMin, delayUsMax, strayShare, strayDelayUsMax } = this.#weather;
    return this.#prng.chance(strayShare) ? this.#prng.integer(delayUsMax, strayDelayUsMax) : this.#prng.integer(delayUsMin, delayUsMax);
  }

  #carry({ from, to, bytes }: BusPacket, delayUs: number): void {
    this.#scheduler.after(delayUs, () => {
      if (this.#cutOff.has(from) || this.#cutOff.has(to)) return;
      this.#receivers.get(to)?.(from, bytes);
    });
  }
}
