/**
 * Several shards and what is under way between them: a bus that doubles, drops and reorders messages as a seed says, on one virtual clock.
 * Messages travel as text and are decoded as from another node. No journal: every turn is durable at once.
 */
import type { Prng } from '#shared/prng.ts';
import { instant, type Instant, type RowId, type ShardId } from '#shared/units.ts';
import type { Message, Reply } from '#server/shard/message.ts';
import type { Powerup } from '#server/shard/powerup.ts';
import type { TurnResult } from '#server/shard/shard.ts';
import { command, ShardDriver, TEST_START } from '#server/shard/testing/shard-driver.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import { decision, hold } from '../entities.ts';
import { decodeTradeMessage } from '../messages.ts';

/** How badly the bus behaves: the chance that a message is lost, and that it comes twice. */
export interface BusFaults {
  readonly loss: number;
  readonly doubling: number;
}

/** A ledger line with its shard, in the order of the turns of the whole network. */
export interface NetworkLine {
  readonly shard: ShardId;
  readonly entry: LedgerEntry;
}

interface Letter {
  readonly to: ShardId;
  readonly text: string;
}

const CALM: BusFaults = { loss: 0, doubling: 0 };

/** Owned by one test. */
export class ShardNetwork {
  readonly drivers: ReadonlyMap<ShardId, ShardDriver>;
  /** Every ledger line so far. */
  readonly lines: NetworkLine[] = [];
  /** Failed turns, each of which is a bug unless the test wants it. */
  readonly failures: Error[] = [];
  readonly #prng: Prng;
  readonly #faults: BusFaults;
  readonly #replies = new Map<string, Reply>();
  /** Operations that a trade has completed, by their rows. */
  readonly #completed = new Set<string>();
  #underWay: Letter[] = [];
  #now: Instant = TEST_START;

  constructor(powerups: readonly Powerup[], shards: readonly ShardId[], prng: Prng, faults: BusFaults = CALM) {
    this.drivers = new Map(shards.map((id) => [id, new ShardDriver(powerups, id)]));
    this.#prng = prng;
    this.#faults = faults;
  }

  get now(): Instant {
    return this.#now;
  }

  /** Messages that are not delivered yet. */
  get underWay(): readonly Letter[] {
    return this.#underWay;
  }

  driver(shard: ShardId): ShardDriver {
    const driver = this.drivers.get(shard);
    if (driver === undefined) throw new Error(`there is no shard ${shard} in this network`);
    return driver;
  }

  /** Hands over a command. The reply of one that waits is found by `replyTo` once it has come. */
  command(shard: ShardId, kind: string, body: unknown, op?: string, issuer?: 'client' | 'service' | 'staff'): TurnResult {
    const result = this.#turn(shard, command(kind, body, op, issuer));
    const { handled } = result;
    if (op !== undefined && (handled.kind === 'answer' || handled.kind === 'refusal')) this.#replies.set(`${shard} ${op}`, handled);
    return result;
  }

  /** The final word to an operation, if it was spoken. */
  replyTo(shard: ShardId, op: string): Reply | undefined {
    return this.#replies.get(`${shard} ${op}`);
  }

  /** Delivers one message, any of those under way. Returns false if there is none. */
  deliverOne(): boolean {
    if (this.#underWay.length === 0) return false;
    const [letter] = this.#underWay.splice(this.#prng.integer(0, this.#underWay.length - 1), 1);
    if (letter === undefined || this.#prng.chance(this.#faults.loss)) return true;
    if (this.#prng.chance(this.#faults.doubling)) this.#underWay.push(letter);
    this.inject(letter.to, letter.text);
    return true;
  }

  /** Hands a message to a shard as if it came over the bus now. */
  inject(to: ShardId, text: string): TurnResult {
    const message = decodeTradeMessage(JSON.parse(text));
    if (message === undefined) throw new Error(`this is no message: ${text}`);
    return this.#turn(to, message);
  }

  /** Takes everything that is under way off the bus: a test delivers it by hand, late, or never. */
  intercept(): readonly Letter[] {
    const letters = this.#underWay;
    this.#underWay = [];
    return letters;
  }

  /** Moves the time on and rings the alarms that are due. */
  wait(ms: number): void {
    this.#now = instant(this.#now + ms);
    for (const driver of this.drivers.values()) {
      driver.now = this.#now;
      for (const alarm of driver.shard.dueAlarms(this.#now)) this.#turn(driver.id, alarm);
    }
  }

  /** Delivers and waits until nothing is under way and no trade is open. Throws if that takes longer than an hour of the network's time. */
  settle(): void {
    const until = this.#now + 3_600_000;
    for (;;) {
      while (this.deliverOne());
      if (this.openTrades() === 0) return;
      if (this.#now > until) throw new Error(`${this.openTrades()} trades are still open after an hour`);
      this.wait(500);
    }
  }

  /** Holds, and decisions whose holder has not acted on them. */
  openTrades(): number {
    let open = 0;
    for (const driver of this.drivers.values()) {
      open += driver.rows(hold).length + driver.rows(decision).filter(({ state }) => state !== 'settled').length;
    }
    return open;
  }

  #turn(shard: ShardId, message: Message): TurnResult {
    const driver = this.driver(shard);
    driver.now = this.#now;
    const before = driver.records.length;
    const result = driver.send(message);
    if (result.failed !== undefined) this.failures.push(result.failed);
    for (const { ledger } of driver.records.slice(before)) for (const entry of ledger) this.lines.push({ shard, entry });
    for (const { to, message: emitted } of result.emitted) this.#underWay.push({ to, text: JSON.stringify(emitted) });
    for (const { operation, reply } of result.completed) this.#complete(driver, operation, reply);
    return result;
  }

  #complete(driver: ShardDriver, operation: RowId, reply: Reply): void {
    const row = driver.shard.rows('operation').find(({ id }) => id === operation);
    const op = String(row?.['key']).split('/')[1] ?? '';
    // A refusal leaves no operation: asked again, the same op may still be done, once.
    if (this.#completed.has(`${driver.id} ${operation}`)) throw new Error(`the operation ${op} of ${driver.id} was completed twice`);
    this.#completed.add(`${driver.id} ${operation}`);
    this.#replies.set(`${driver.id} ${op}`, reply);
  }
}
