/**
 * The listing index as a child process: starts it, starts it again whenever it ends, and ends it.
 *
 * Owns the process. It listens on the loopback, on a port that the system chooses, and tells which over the channel
 * between parent and child, again and again as long as it is well. One that says nothing any more, or never did, is
 * killed, and so started again: it may hang, or somebody has stopped it. When that channel closes, because the parent
 * stops or dies however it may, the child ends.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Cancel, Machine } from '#server/platform/platform.ts';
import { SAY_MS } from './liveness.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Such times without a word until it is killed: far more than a start takes. Counted, not measured: this process may have stood still. */
const SILENT_MAX = 15;
const RESTART_FIRST_MS = 100;
/** The longest pause before a process that ends again and again is started. */
const RESTART_MAX_MS = 10_000;
/** One that has run for so long is well: the next pause is the first again. */
const WELL_MS = 10_000;
/** How long it may take to end when it is told to. */
const END_MS = 1_000;

/** What the child says, as long as it listens. */
const listeningSchema = z.strictObject({ url: z.string() });

type State =
  | { readonly kind: 'running'; readonly child: ChildProcess; readonly sinceMs: number; url: string | undefined }
  | { readonly kind: 'pausing'; readonly cancel: Cancel }
  | { readonly kind: 'stopped' };

/** The supervisor. */
export class IndexChild {
  readonly #key: string;
  readonly #machine: Pick<Machine, 'readings' | 'timers' | 'report'>;
  #state: State;
  #ends = 0;

  /** Starts the process; whoever has the key may use the index. */
  constructor(key: string, machine: Pick<Machine, 'readings' | 'timers' | 'report'>) {
    this.#key = key;
    this.#machine = machine;
    this.#state = this.#start();
  }

  /** Where it listens, if it does. */
  get address(): string | undefined {
    return this.#state.kind === 'running' ? this.#state.url : undefined;
  }

  /** The process id, if it runs. */
  get pid(): number | undefined {
    return this.#state.kind === 'running' ? this.#state.child.pid : undefined;
  }

  /** Ends it, for good. Resolves when the process is gone. */
  stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: 'stopped' };
    if (state.kind === 'pausing') state.cancel();
    if (state.kind !== 'running') return Promise.resolve();
    const { child } = state;
    return new Promise((resolve) => {
      const cancel = this.#machine.timers.after(END_MS, () => void child.kill('SIGKILL'));
      child.once('exit', () => {
        cancel();
        resolve();
      });
      if (child.connected) child.disconnect();
      else child.kill('SIGKILL');
    });
  }

  #start(): State {
    const { readings, timers } = this.#machine;
    // Standard error is that of the parent: what the index reports stands in one log.
    const child = spawn(process.execPath, [MAIN, '--port', '0'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...environmentOfOthers(), GAVEL_INDEX_KEY: this.#key },
    });
    const state: State = { kind: 'running', child, sinceMs: readings.monotonicMs(), url: undefined };
    let isOver = false;
    let silent = 0;
    let cancel: Cancel;
    const look = (): void => {
      if (++silent > SILENT_MAX) child.kill('SIGKILL');
      cancel = timers.after(SAY_MS, look);
    };
    cancel = timers.after(SAY_MS, look);
    const over = (how: string): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      this.#ended(state.sinceMs, how);
    };
    child.on('message', (said) => {
      const listening = listeningSchema.safeParse(said);
      if (!listening.success) return;
      silent = 0;
      state.url = listening.data.url;
    });
    child.once('error', (error) => over(error.message));
    child.once('exit', (code, signal) => over(signal ?? `exit code ${code ?? 'unknown'}`));
    return state;
  }

  #ended(sinceMs: number, how: string): void {
    if (this.#state.kind === 'stopped') return;
    const { readings, timers, report } = this.#machine;
    if (readings.monotonicMs() - sinceMs >= WELL_MS) this.#ends = 0;
    const pauseMs = Math.min(RESTART_MAX_MS, RESTART_FIRST_MS * 2 ** this.#ends++);
    report({ level: 'warning', message: `the process of the listing index ended (${how}), and is started again in ${pauseMs} ms` });
    const cancel = timers.after(pauseMs, () => {
      this.#state = this.#start();
      report({ level: 'info', message: `the listing index runs again, in process ${this.pid ?? 'unknown'}` });
    });
    this.#state = { kind: 'pausing', cancel };
  }
}

/** The environment without what is the node's own: its secrets are no business of the index. */
function environmentOfOthers(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GAVEL_')));
}
