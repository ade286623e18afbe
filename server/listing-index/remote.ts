/**
 * The listing index in another process, as a service: connects, and comes back after each loss.
 *
 * Owns the link.
 *
 * 1. While there is none, searches are `unavailable` at once, and what is fed is rejected.
 * 2. What was asked and not answered when a link ends is `unavailable`, or rejected: it may have been done. Nothing is
 *    sent a second time.
 * 3. That the index went away, and that it is back, is reported once each; so is why it refuses this node.
 */
import { assert } from '#shared/assert.ts';
import type { NodeName } from '#shared/units.ts';
import type { Cancel } from '#server/platform/platform.ts';
import { within } from '#server/platform/within.ts';
import { IndexLink, type IndexLinkOptions } from './index-link.ts';
import {
  IndexAwayError,
  type FeedAnswer,
  type FeedBatch,
  type IndexStats,
  type ListingIndexService,
  type NodePosition,
  type SearchAnswer,
  type SearchQuery,
} from './service.ts';
import { SEARCHES_MAX } from './wire.ts';

/** What a node needs to reach its index. */
export interface RemoteIndexOptions extends Omit<IndexLinkOptions, 'life'> {
  /** Where it is, such as `ws://10.0.0.7:2569`; `undefined` while nobody knows, as of a process that starts. */
  readonly address: () => string | undefined;
}

const RETRY_FIRST_MS = 50;
/** The longest pause between two attempts. */
const RETRY_MAX_MS = 1_000;
/** How long a search waits for an index that is connected and says nothing: far longer than one takes. */
const SEARCH_MS = 1_000;
/** How long a batch waits for its answer, until the link is given up: the index may be busy with those of others. */
const APPLY_MS = 10_000;
const UNAVAILABLE_ANSWER: SearchAnswer = { kind: 'unavailable' };

type State =
  | { readonly kind: 'away'; readonly cancelRetry: Cancel }
  | { readonly kind: 'connecting'; readonly link: IndexLink }
  | { readonly kind: 'connected'; readonly link: IndexLink; searches: number }
  | { readonly kind: 'closed' };

/** The index elsewhere, for one node. */
export class RemoteListingIndex implements ListingIndexService {
  readonly #options: RemoteIndexOptions & IndexLinkOptions;
  #state: State;
  /** Attempts in a row that came to nothing. */
  #failures = 0;
  /** What was reported of its being away, if it is. */
  #reported: { readonly isRefusal: boolean } | undefined;
  #reachable = Promise.withResolvers<void>();
  #lost = Promise.withResolvers<void>();

  constructor(options: RemoteIndexOptions) {
    this.#options = { ...options, life: options.machine.random.id() };
    this.#state = this.#retryAfter(0);
  }

  reachable(): Promise<void> {
    return this.#reachable.promise;
  }

  lost(): Promise<void> {
    return this.#lost.promise;
  }

  async apply({ node, ...batch }: FeedBatch): Promise<FeedAnswer> {
    this.#expectOwn(node);
    const state = this.#state;
    if (state.kind !== 'connected') throw new IndexAwayError('the listing index is away');
    const { link } = state;
    const answer = await within(this.#options.machine.timers, APPLY_MS, link.ask({ kind: 'apply', batch }, 'fed'));
    if (answer !== undefined && answer !== 'late') return answer.answer;
    link.close('it does not answer');
    throw new IndexAwayError('the listing index went away before it answered');
  }

  async search(query: SearchQuery, { atLeast: { node, position } }: { readonly atLeast: NodePosition }): Promise<SearchAnswer> {
    this.#expectOwn(node);
    const state = this.#state;
    if (state.kind !== 'connected' || state.searches >= SEARCHES_MAX) return UNAVAILABLE_ANSWER;
    state.searches++;
    const asked = state.link.ask({ kind: 'search', query, atLeast: position }, 'searched').finally(() => state.searches--);
    const answer = await within(this.#options.machine.timers, SEARCH_MS, asked);
    return answer === 'late' || answer === undefined ? UNAVAILABLE_ANSWER : answer.answer;
  }

  async stats(): Promise<IndexStats> {
    const state = this.#state;
    const answer = state.kind === 'connected' ? await state.link.ask({ kind: 'stats' }, 'stats') : undefined;
    if (answer === undefined) throw new IndexAwayError('the listing index is away');
    return answer.stats;
  }

  /** Lets go of the index, for good. */
  close(): void {
    const state = this.#state;
    this.#state = { kind: 'closed' };
    if (state.kind === 'away') state.cancelRetry();
    else if (state.kind !== 'closed') state.link.close('it is needed no more');
  }

  #expectOwn(node: NodeName): void {
    assert(node === this.#options.node, () => `${node} uses the connection of ${this.#options.node}`);
  }

  #retryAfter(ms: number): State {
    return { kind: 'away', cancelRetry: this.#options.machine.timers.after(ms, () => this.#connect()) };
  }

  #connect(): void {
    const address = this.#options.address();
    if (address === undefined) {
      this.#state = this.#retryAfter(RETRY_FIRST_MS);
      return;
    }
    const link = new IndexLink(address, this.#options, {
      onOpen: () => this.#opened(link),
      onEnd: (reason, isRefusal) => this.#ended(reason, isRefusal),
    });
    this.#state = { kind: 'connecting', link };
  }

  #opened(link: IndexLink): void {
    this.#state = { kind: 'connected', link, searches: 0 };
    this.#failures = 0;
    if (this.#reported !== undefined) this.#options.machine.report({ level: 'info', message: 'the listing index is back' });
    this.#reported = undefined;
    this.#reachable.resolve();
  }

  #ended(reason: string, isRefusal: boolean): void {
    if (this.#state.kind === 'closed') return;
    if (this.#state.kind === 'connected') {
      this.#reachable = Promise.withResolvers();
      this.#lost.resolve();
      this.#lost = Promise.withResolvers();
    }
    if (this.#reported === undefined || (isRefusal && !this.#reported.isRefusal)) this.#tell(reason, isRefusal);
    const { random } = this.#options.machine;
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failures++);
    this.#state = this.#retryAfter(pauseMs * (0.5 + random.fraction() / 2));
  }

  #tell(reason: string, isRefusal: boolean): void {
    this.#reported = { isRefusal };
    const what = isRefusal ? 'the listing index and this node do not fit' : 'the listing index is away';
    const message = `${what}: ${reason}; searches are unavailable until it is back, trades go on`;
    this.#options.machine.report({ level: isRefusal ? 'error' : 'warning', message });
  }
}
