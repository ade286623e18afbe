/**
 * A real server as a child process, in the hand of demo or drill from its first moment, so that it can be killed before it serves.
 *
 * Owns the process: it ends with `kill`, with `interrupt`, or with the process that started it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '#package.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SERVES = /Gavel serves at (https?:\/\/\S+)/;
/** What follows `exec node` in `npm start`: V8's flags and the program. They are written there alone. */
const START = packageJson.scripts.start.split(' ').slice(2);
const FLAGS = START.slice(0, -1);
const PROGRAM = START.at(-1) ?? '';
/** The end of what it said that is kept. */
const SAID_MAX = 20_000;

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the call that asked for the end. */
  readonly tookMs: number;
}

/** How a server is started. */
export interface ServerChildOptions {
  /** Any that is free unless given. */
  readonly port?: number;
  /** More settings, as flags. */
  readonly args?: readonly string[];
  /** Secrets, by their variables. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export class ServerChild {
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;
  #said = '';
  #complaints = '';

  /**
   * Starts it on a directory that is there. It is the same server whatever settings the environment and the checkout have: it runs in
   * its data directory, and is told nothing but what is given here.
   */
  constructor(dataDirectory: string, { port = 0, args = [], secrets = {} }: ServerChildOptions = {}) {
    const settings = ['--data', resolve(dataDirectory), '--port', String(port), ...args];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GAVEL_'));
    this.#child = spawn(process.execPath, [...FLAGS, ROOT + PROGRAM, ...settings], {
      cwd: dataDirectory,
      env: { ...Object.fromEntries(inherited), ...secrets },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk) => (this.#said = (this.#said + String(chunk)).slice(-SAID_MAX)));
    this.#child.stderr?.on('data', (chunk) => (this.#complaints = (this.#complaints + String(chunk)).slice(-SAID_MAX)));
    const abandon = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', abandon);
    this.#exit = new Promise((resolve) => {
      // `close` comes after the last output, `error` where there was never a process.
      for (const event of ['close', 'error'] as const) {
        this.#child.once(event, () => {
          process.off('exit', abandon);
          resolve();
        });
      }
    });
  }

  /** The process id. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether the process is still there. */
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The service key that it has made up for itself; empty before it serves. */
  get serviceKey(): string {
    return /Service key, made up for this run: (\S+)/.exec(this.#said)?.[1] ?? '';
  }

  /** What it wrote on standard error. */
  get complaints(): string {
    return this.#complaints.trim();
  }

  /** Where it serves, as soon as it says so. Rejects if it ends before, or takes longer than that. */
  serving(timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const over = (sentence: string): void => {
        clearTimeout(timer);
        this.#child.stdout?.off('data', look);
        reject(new Error(`${sentence}; it said: ${this.complaints === '' ? 'nothing' : this.complaints}`));
      };
      const look = (): void => {
        const url = SERVES.exec(this.#said)?.[1];
        if (url === undefined) return;
        clearTimeout(timer);
        this.#child.stdout?.off('data', look);
        resolve(url);
      };
      const timer = setTimeout(() => over(`the server did not serve within ${timeoutMs} ms`), timeoutMs);
      this.#child.stdout?.on('data', look);
      void this.#exit.then(() => over('the server ended before it served'));
      look();
    });
  }

  /** Ends it as a power cut would, and waits until it is gone. */
  async kill(): Promise<Ending> {
    const startedAt = performance.now();
    this.#child.kill('SIGKILL');
    await this.#exit;
    return this.#ending(startedAt);
  }

  /** Asks it to stop, as Ctrl-C does, and goes on. */
  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** Asks it to stop and waits until it has. After `killAfterMs` it is killed. */
  async stop(killAfterMs: number): Promise<Ending> {
    const startedAt = performance.now();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), killAfterMs);
    this.interrupt();
    await this.#exit;
    clearTimeout(timer);
    return this.#ending(startedAt);
  }

  /** Waits for an end that it comes to by itself. After `killAfterMs` it is killed. */
  async end(killAfterMs: number): Promise<Ending> {
    const startedAt = performance.now();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), killAfterMs);
    await this.#exit;
    clearTimeout(timer);
    return this.#ending(startedAt);
  }

  #ending(startedAt: number): Ending {
    const { exitCode, signalCode } = this.#child;
    return { code: exitCode, signal: signalCode, tookMs: performance.now() - startedAt };
  }
}
