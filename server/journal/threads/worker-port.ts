/**
 * Calls between threads: a request has an answer, an error keeps its kind. The two ends agree on
 * one type of functions.
 */
import type { MessagePort, Transferable, Worker } from 'node:worker_threads';
import type { Instant } from '#shared/units.ts';
import { errorMessage } from '../disk/disk-errors.ts';
import { DataDirectoryError, ShardFault } from '../persister/persister.ts';
import { JournalError, StoreLockedError } from '../disk/storage.ts';

/** What an interface must be for a thread to serve it: functions, and nothing else. */
export type Serves<A> = { readonly [Name in keyof A]: (...parameters: never[]) => unknown };

/** The functions that a thread serves, by name. */
export type Api = Serves<Record<string, unknown>>;

interface Request {
  readonly id: number;
  readonly name: string;
  readonly parameters: readonly unknown[];
}

type Answer =
  | { readonly id: number; readonly kind: 'value'; readonly value: unknown }
  | {
      readonly id: number;
      readonly kind: 'error';
      readonly name: string;
      readonly message: string;
      /** Of a `ShardFault`. */
      readonly lastTurnAt: Instant | undefined;
    };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A value whose bytes are handed over rather than copied. */
export class Transferred<T> {
  readonly value: T;
  readonly transfer: readonly Transferable[];

  constructor(value: T, transfer: readonly Transferable[]) {
    this.value = value;
    this.transfer = transfer;
  }
}

type Value<T> = T extends Transferred<infer V> ? V : T;

/** Calls what the other end serves. Owns the receiving side of its port. */
export class PortCaller<A extends Serves<A>> {
  readonly #port: MessagePort | Worker;
  readonly #waitingById = new Map<number, Waiting>();
  #lastId = 0;
  #dead: Error | undefined;

  constructor(port: MessagePort | Worker) {
    this.#port = port;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The other end is `serve` of this file.
    port.on('message', (answer: unknown) => this.#take(answer as Answer));
  }

  /** Calls a function of the other end; what is in `transfer` is no longer here afterwards. */
  call<Name extends keyof A & string>(
    name: Name,
    parameters: Parameters<A[Name]>,
    transfer: readonly Transferable[] = [],
  ): Promise<Value<Awaited<ReturnType<A[Name]>>>> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const id = ++this.#lastId;
    const request: Request = { id, name, parameters };
    this.#port.postMessage(request, [...transfer]);
    return new Promise((resolve, reject) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `A` is what the other end serves.
      this.#waitingById.set(id, { resolve: resolve as Waiting['resolve'], reject });
    });
  }

  /** The other end is gone: whatever was asked, and will be, fails with this. */
  die(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#waitingById.values()) reject(error);
    this.#waitingById.clear();
  }

  #take(answer: Answer): void {
    const waiting = this.#waitingById.get(answer.id);
    this.#waitingById.delete(answer.id);
    if (answer.kind === 'value') waiting?.resolve(answer.value);
    else waiting?.reject(revived(answer));
  }
}

/**
 * Answers calls with these functions, in the order in which they come; one that returns a promise
 * lets later ones pass.
 */
export function serve(port: MessagePort, api: Api): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The other end is a `PortCaller` of this file.
  port.on('message', (request: unknown) => void answer(port, api, request as Request));
}

async function answer(port: MessagePort, api: Api, { id, name, parameters }: Request): Promise<void> {
  try {
    const run = api[name];
    if (run === undefined) throw new Error(`this thread does not serve ${name}`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `PortCaller` has checked them against the same type.
    const result = run(...(parameters as never[]));
    const value: unknown = result instanceof Promise ? await result : result;
    if (value instanceof Transferred)
      port.postMessage({ id, kind: 'value', value: value.value as unknown } satisfies Answer, [...value.transfer]);
    else port.postMessage({ id, kind: 'value', value } satisfies Answer);
  } catch (error) {
    const { name: kind, message } = error instanceof Error ? error : new Error(errorMessage(error));
    const lastTurnAt = error instanceof ShardFault ? error.lastTurnAt : undefined;
    port.postMessage({ id, kind: 'error', name: kind, message, lastTurnAt } satisfies Answer);
  }
}

function revived({ name, message, lastTurnAt }: Extract<Answer, { kind: 'error' }>): Error {
  if (name === 'ShardFault') return new ShardFault(message, { lastTurnAt });
  const Known = [JournalError, StoreLockedError, DataDirectoryError].find((kind) => kind.name === name);
  return Known === undefined ? Object.assign(new Error(message), { name }) : new Known(message);
}
