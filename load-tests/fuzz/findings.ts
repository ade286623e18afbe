/**
 * What a run has found, and what no answer may say.
 *
 * Each violation is told at once, with the input that is to be repeated; the first of each kind, up to a bound.
 */

const TOLD_MAX = 100;
const INPUT_LENGTH_MAX = 4_000;

/** Words of the inside: stacks, paths of files, modules, databases, names of secrets. */
const INSIDE =
  /node_modules|\bat (?:async )?[\w.<>$]+ \(|file:\/\/|\/(?:home|root|work|usr|tmp|var|opt)\/|\.[cm]?[jt]s:\d|SQLITE_|GAVEL_|\b(?:Type|Range|Syntax|Reference|Assertion|Zod|Unit)Error\b/;

export class Findings {
  readonly #secrets: readonly string[];
  readonly #tell: (line: string) => void;
  #violations = 0;

  /** `secrets` are texts that no answer may contain. */
  constructor(secrets: readonly string[], tell: (line: string) => void) {
    this.#secrets = secrets;
    this.#tell = tell;
  }

  /** How many there were. */
  get violations(): number {
    return this.#violations;
  }

  /** Something is not as it must be. `input` is what was sent. */
  violation(what: string, input?: Uint8Array | string): void {
    this.#violations++;
    if (this.#violations > TOLD_MAX) return;
    const shown = input === undefined ? '' : `\n  input: ${typeof input === 'string' ? input : shownBytes(input)}`;
    this.#tell(`violation: ${what}${shown}`);
  }

  /** Looks through what the server has said for what it must not say. */
  inspect(answer: string, input: Uint8Array): void {
    const inside = INSIDE.exec(answer)?.[0] ?? this.#secrets.find((secret) => answer.includes(secret));
    if (inside !== undefined) this.violation(`an answer tells of the inside (${inside}): ${answer.slice(0, 500)}`, input);
  }
}

/** Bytes in a form that can be given back: `Buffer.from(text, 'base64')`. */
function shownBytes(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes).toString('base64');
  return `base64 ${shown.length <= INPUT_LENGTH_MAX ? shown : `${shown.slice(0, INPUT_LENGTH_MAX)}... (${bytes.length} bytes)`}`;
}
