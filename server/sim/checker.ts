/** What a checker is: one promise of the system, as a sentence, and the code that looks whether it was kept. */
import type { NodeName } from '#shared/units.ts';
import type { ListingIndex } from '#server/listing-index/listing-index.ts';
import type { GavelNode } from '#server/node.ts';
import type { DurableTurn, Model } from './model.ts';

/** Says that the promise was broken, and how. */
export type Complain = (detail: string) => void;

/** One promise of the system. */
export interface CheckerPromise {
  readonly name: string;
  readonly sentence: string;
}

/** One per simulation: it may remember what it has seen. */
export interface Checker extends CheckerPromise {
  /** Looks at each durable turn, in the order in which they became durable: so at every prefix of every journal. */
  readonly onTurn?: (turn: DurableTurn, complain: Complain) => void;
  /** Looks at the whole when nothing is under way any more and all nodes run. */
  readonly onQuiet?: (quiet: Quiet, complain: Complain) => void | Promise<void>;
}

/** One row of a table of rules: what must never be, and how to say that it is. */
export interface CheckerRule<Subject> {
  readonly isBroken: (subject: Subject) => boolean;
  readonly detail: (subject: Subject) => string;
}

/** Complains of each rule that the subject breaks. */
export function checkRules<Subject>(rules: readonly CheckerRule<Subject>[], subject: Subject, complain: Complain): void {
  for (const { isBroken, detail } of rules) if (isBroken(subject)) complain(detail(subject));
}

/** A turn, in words. */
export function whereOf({ changes }: DurableTurn): string {
  return `${changes.shard} version ${changes.version}`;
}

/** What there is to look at when all is quiet. */
export interface Quiet {
  readonly model: Model;
  readonly nodes: readonly { readonly name: NodeName; readonly node: GavelNode | undefined; readonly index: ListingIndex | undefined }[];
}

/** A promise that was broken. */
export interface Violation {
  readonly checker: string;
  readonly sentence: string;
  readonly detail: string;
  /** The virtual time, in milliseconds since the start of the simulation. */
  readonly atMs: number;
}

/** Whether two values are the same as JSON: what the codec keeps of them. The order of fields does not matter. */
export function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** JSON with the fields of each object in order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    // Bytes are the same whoever made them: a `Buffer` has come here in this form already.
    if (part instanceof Uint8Array) return { data: [...part], type: 'Buffer' };
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
