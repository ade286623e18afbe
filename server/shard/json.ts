/**
 * An immutable JSON value with its text. It is written once, when it is asked for, however many rows and records it passes through, and
 * parsed only when it is looked into: most goods of most shards never are.
 */
export class Json<T extends object> {
  #text: string | undefined;
  #value: T | undefined;

  private constructor(text: string | undefined, value: T | undefined) {
    this.#text = text;
    this.#value = value;
  }

  /** A value, which must not change any more. */
  static of<T extends object>(value: T): Json<T> {
    return new Json(undefined, value);
  }

  /** A value of which only the text is kept: one that is hardly ever looked into again. */
  static serialized<T extends object>(value: T): Json<T> {
    return new Json<T>(JSON.stringify(value), undefined);
  }

  /** From the text that one of the others has made: parsed when it is looked into. */
  static fromText<T extends object>(text: string): Json<T> {
    return new Json<T>(text, undefined);
  }

  /** The text. */
  get text(): string {
    this.#text ??= JSON.stringify(this.#value);
    return this.#text;
  }

  /** The value. */
  get value(): T {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The type is the word of the code that made the text.
    this.#value ??= JSON.parse(this.#text ?? '') as T;
    return this.#value;
  }

  /** Inside other JSON it is the value, not a text. */
  toJSON(): T {
    return this.value;
  }
}
