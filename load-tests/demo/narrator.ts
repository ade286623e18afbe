/** Tells a story on a terminal: numbered steps with how long each took, and what happened below. Plain text where there is no terminal. */

/** Somewhere to write, and whether it shows colours. */
export interface Stage {
  write(text: string): void;
  readonly hasColours: boolean;
}

/** The standard output: colours for a terminal, unless `NO_COLOR` says no. */
export function standardStage(): Stage {
  const isWanted = process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '';
  return { write: (text) => void process.stdout.write(text), hasColours: process.stdout.isTTY && isWanted };
}

/** What a step may say while it runs. */
export type Say = (line: string) => void;

const WIDTH = 78;

export class Narrator {
  readonly #stage: Stage;
  #steps = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** A heading. */
  title(text: string): void {
    this.#stage.write(`\n${this.#paint('1', text)}\n`);
  }

  /** One step: runs it, and writes its title with the time that it took, then what it said. A failure is written too, and thrown on. */
  async step<Result>(title: string, run: (say: Say) => Promise<Result>): Promise<Result> {
    const number = `${++this.#steps}`.padStart(2);
    const said: string[] = [];
    const startedAt = performance.now();
    const head = (mark: string): string => {
      const took = `${(performance.now() - startedAt).toFixed(0)} ms`;
      return `\n${number} ${mark} ${title}${' '.repeat(Math.max(1, WIDTH - title.length - took.length - 5))}${this.#paint('2', took)}\n`;
    };
    try {
      const result = await run((line) => void said.push(line));
      this.#stage.write(head(this.#paint('32', '✓')) + this.#body(said));
      return result;
    } catch (error) {
      this.#stage.write(head(this.#paint('31', '✗')) + this.#body(said));
      throw error;
    }
  }

  /** The last word. */
  verdict(isGood: boolean, text: string): void {
    this.#stage.write(`\n${this.#paint(isGood ? '1;32' : '1;31', text)}\n\n`);
  }

  #body(lines: readonly string[]): string {
    return lines.map((line) => `     ${this.#paint('2', '│')} ${line}\n`).join('');
  }

  #paint(code: string, text: string): string {
    return this.#stage.hasColours ? `\u001B[${code}m${text}\u001B[0m` : text;
  }
}

/** Gold as people read it. */
export function coins(amount: number): string {
  return `${amount.toLocaleString('en-US')} gold`;
}
