/**
 * The door: how one player gets in. It knows the servers, what the player can show, and the token of
 * the last session.
 *
 * 1. The token of the last session is shown first; if it is refused, the credentials are. What they
 *    are is asked for each time: a function may bring fresh ones.
 * 2. One try is at one server. A server that does not answer, or that lets nobody in for now, is
 *    followed by the next one; the one that worked is tried first the next time.
 * 3. `unauthorized` to the credentials is final: no other server, and no other try, is of use.
 */
import { isRefusal } from './errors.ts';
import { openSession, renewedToken, type Credentials, type Destination, type Session } from './session.ts';
import { within } from './wait.ts';

/**
 * What the player shows: the same each time, or a function that brings what is good now, such as a
 * fresh token of the studio. A function that rejects is asked again later.
 */
export type CredentialSource = Credentials | (() => Credentials | Promise<Credentials>);

/** What a door is made with: the servers, the market, and what to show. */
export interface DoorOptions extends Omit<Destination, 'url'> {
  readonly urls: readonly string[];
  readonly credentials: CredentialSource;
}

/** How long a function may take to bring credentials. */
const CREDENTIALS_MS = 30_000;

export class Door {
  readonly #options: DoorOptions;
  readonly #attemptMs: number;
  #credentials: CredentialSource;
  #token: string | undefined;
  #tries = 0;

  /** Throws `RangeError` without a server. */
  constructor(options: DoorOptions, attemptMs: number) {
    if (options.urls.length === 0) throw new RangeError('there must be a server to go to');
    this.#options = options;
    this.#attemptMs = attemptMs;
    this.#credentials = options.credentials;
  }

  /** How many servers there are. */
  get servers(): number {
    return this.#options.urls.length;
  }

  /** What is shown for now. */
  get credentials(): CredentialSource {
    return this.#credentials;
  }

  /** Has other credentials shown from now on, and forgets the token of those before. */
  show(credentials: CredentialSource): void {
    this.#credentials = credentials;
    this.#token = undefined;
  }

  /** Begins with another server the next time, if there is one. */
  goElsewhere(): void {
    this.#tries++;
  }

  /** One try. Rejects with `RefusedError` if the server says no, with another error if it cannot be reached in time. */
  async enter(): Promise<Session> {
    try {
      const session = await this.#enterAt(this.#url);
      this.#token = session.token;
      return session;
    } catch (error) {
      if (!isRefusal(error, 'unauthorized')) this.goElsewhere();
      throw error;
    }
  }

  /** One try at each server. Rejects as the last try did. */
  async enterAnywhere(): Promise<Session> {
    for (let left = this.servers - 1; ; left--) {
      try {
        return await this.enter();
      } catch (error) {
        if (left === 0 || isRefusal(error, 'unauthorized')) throw error;
      }
    }
  }

  /**
   * Has the token replaced by one whose time starts now. Rejects as `enter` does; `unauthorized`
   * means that there is nothing left to come back with.
   */
  async renew(): Promise<void> {
    const url = this.#url;
    const renewed = await this.#withToken((token) => renewedToken(url, token, this.#attemptMs));
    if (renewed !== undefined) {
      this.#token = renewed;
      return;
    }
    const credentials = await this.#fresh();
    // A guest comes back by its name.
    if ('token' in credentials) this.#token = await renewedToken(url, credentials.token, this.#attemptMs);
  }

  async #enterAt(url: string): Promise<Session> {
    const { region, mode } = this.#options;
    const show = (credentials: Credentials): Promise<Session> => openSession({ url, region, mode }, credentials, this.#attemptMs);
    return (await this.#withToken((token) => show({ token }))) ?? show(await this.#fresh());
  }

  /** What the token of the last session brings, or nothing if it is good for nothing any more. */
  async #withToken<Value>(use: (token: string) => Promise<Value>): Promise<Value | undefined> {
    const token = this.#token;
    if (token === undefined) return undefined;
    try {
      return await use(token);
    } catch (error) {
      if (!isRefusal(error, 'unauthorized')) throw error;
      if (this.#token === token) this.#token = undefined;
      return undefined;
    }
  }

  async #fresh(): Promise<Credentials> {
    const credentials = this.#credentials;
    return typeof credentials === 'function' ? within(Promise.resolve(credentials()), CREDENTIALS_MS) : credentials;
  }

  get #url(): string {
    const { urls } = this.#options;
    const url = urls[this.#tries % urls.length];
    if (url === undefined) throw new RangeError('there must be a server to go to');
    return url;
  }
}
