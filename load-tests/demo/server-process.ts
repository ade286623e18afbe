/** A real Gavel server in a process of its own, to be talked to, killed and started again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(import.meta.resolve('#server/main.ts'));
const READY = /https?:\/\/[^\s:]+:(\d+)/;
/** A start takes far less; recovery of a long journal up to ten seconds. */
const START_MS = 20_000;
const STOP_MS = 8_000;

/** What a server is started with. */
export interface ServerOptions {
  readonly dataDirectory: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** More arguments for the server. */
  readonly args?: readonly string[];
}

/** Every server that was started here and has not ended, also those that do not serve yet. */
const running = new Set<ChildProcess>();

/** For the last moment of the own process: ends every server that it started, without waiting. */
export function abandonServers(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** A server that has said where it serves. */
export class ServerProcess {
  readonly url: string;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, url: string, port: number) {
    this.#child = child;
    this.#ended = endOf(child);
    this.url = url;
    this.port = port;
  }

  /** Starts one and waits until it serves. Rejects with what it said if it ends before, or takes too long. */
  static async start({ dataDirectory, port, args = [] }: ServerOptions): Promise<ServerProcess> {
    const child = spawn(process.execPath, [MAIN, '--data', dataDirectory, '--port', String(port), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    try {
      const [url, servedPort] = await readyLine(child);
      return new ServerProcess(child, url, servedPort);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** The process id. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends it at once, as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Asks it to stop, and waits until it has. Kills it if it does not. Returns its exit code, or `null` if a signal ended it. */
  async stop(): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    this.#child.kill('SIGINT');
    await this.#ended;
    clearTimeout(timer);
    return this.#child.exitCode;
  }
}

function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

function readyLine(child: ChildProcess): Promise<readonly [url: string, port: number]> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`the server did not serve within ${START_MS} ms; it said: ${said}`)), START_MS);
    const listen = (chunk: unknown): void => {
      said = (said + String(chunk)).slice(-10_000);
      const [url, port] = READY.exec(said) ?? [];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve([url, Number(port)]);
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', (chunk) => (said += String(chunk)));
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with ${code ?? 'a signal'} before it served; it said: ${said}`));
    });
  });
}
