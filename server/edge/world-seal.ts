/**
 * The seal of a world: how an id that names a player becomes a text that names nobody, and back.
 *
 * It is deterministic authenticated encryption, built as SIV is (RFC 5297) from what Node has:
 * the IV is HMAC-SHA-256 over the kind and the padded id, cut to 16 bytes; the rest is the padded
 * id under AES-256-CTR with that IV. Both keys are derived from the key of the world by HKDF.
 *
 * 1. The same id of the same kind is always the same text, as long as the key is.
 * 2. Opening makes the IV again: nobody without the key can make a text that opens, change one, or
 *    have one of a kind open as another.
 * 3. The length tells which of three sizes an id was padded to, and nothing else: the first holds
 *    those of all players but the longest named.
 */
import { createCipheriv, hash, hkdfSync, timingSafeEqual, type Cipheriv } from 'node:crypto';
import type { IdKind } from '#shared/schemas.ts';
import { sealedId, type SealedId } from '#shared/units.ts';

const BLOCK_BYTES = 16;
const IV_BYTES = BLOCK_BYTES;
const HASH_BLOCK_BYTES = 64;
const HASH_BYTES = 32;
/** The longest kind, and the NUL after it. */
const KIND_BYTES_MAX = 16;
/**
 * The sizes that ids are padded to: `12345.` and a UUID in a market with a name of 8 letters; the
 * longest transaction; the longest cursor. With the IV each is a multiple of three bytes, so that
 * base64 has no bits to spare, and each id has one text.
 */
const PADDED_BYTES = [62, 143, 287] as const;
/**
 * Sealed texts that are kept, and as many from before: about 8 MB. A page of a hundred results is
 * mostly what somebody was shown a moment ago; to seal it takes 0.3 ms, to look it up 0.01 ms.
 */
const KEPT_MAX = 16_384;

/** Seals and opens with the key of one world. */
export class WorldSeal {
  readonly #mac: ReturnType<typeof macBuffers>;
  /** AES by single blocks, without a state: one object for all. */
  readonly #cipher: Cipheriv;
  readonly #counters = Buffer.alloc(Math.ceil(Math.max(...PADDED_BYTES) / BLOCK_BYTES) * BLOCK_BYTES);
  /** What was sealed or looked up lately, and before that: when the first is full, the second is forgotten. */
  #kept = new Map<string, SealedId>();
  #keptBefore = new Map<string, SealedId>();

  constructor(worldKey: string) {
    const derived = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', worldKey, '', `gavel ids: ${purpose}`, 32));
    this.#mac = macBuffers(derived('mac'));
    this.#cipher = createCipheriv('aes-256-ecb', derived('cipher'), null);
  }

  /** The text that clients see for an id. Throws `RangeError` for one that no id can be: too long, or with a NUL. */
  seal(kind: IdKind, id: string): SealedId {
    const name = `${kind} ${id}`;
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const text = this.#keptBefore.get(name) ?? this.#sealAnew(kind, id);
    if (this.#kept.size >= KEPT_MAX) {
      this.#keptBefore = this.#kept;
      this.#kept = new Map();
    }
    this.#kept.set(name, text);
    return text;
  }

  /** The id of that kind that a text stands for, or `undefined` if this seal never made it. */
  open(kind: IdKind, text: string): string | undefined {
    const bytes = Buffer.from(text, 'base64url');
    if (!PADDED_BYTES.some((size) => bytes.length === IV_BYTES + size)) return undefined;
    // Node reads over what is no base64url: only the one text that these bytes are written as is an id.
    if (bytes.toString('base64url') !== text) return undefined;
    const iv = bytes.subarray(0, IV_BYTES);
    const padded = bytes.subarray(IV_BYTES);
    this.#crypt(iv, padded);
    if (!timingSafeEqual(iv, Buffer.from(this.#ivOf(kind, padded), 'latin1'))) return undefined;
    const end = padded.indexOf(0);
    return padded.toString('utf8', 0, end === -1 ? padded.length : end);
  }

  #sealAnew(kind: IdKind, id: string): SealedId {
    const length = Buffer.byteLength(id);
    const size = PADDED_BYTES.find((bytes) => length <= bytes);
    if (size === undefined || id.includes('\0')) throw new RangeError(`no id is like this one of ${length} bytes`);
    const bytes = Buffer.allocUnsafe(IV_BYTES + size).fill(0);
    const padded = bytes.subarray(IV_BYTES);
    padded.write(id);
    bytes.write(this.#ivOf(kind, padded), 'latin1');
    this.#crypt(bytes, padded);
    return sealedId(bytes.toString('base64url'));
  }

  /**
   * The IV, a byte per character. HMAC by its definition (RFC 2104), of two hashes: an object of
   * `createHmac` costs three times as much, and as much again when it is collected.
   */
  #ivOf(kind: IdKind, padded: Uint8Array): string {
    const { inner, outer } = this.#mac;
    const start = HASH_BLOCK_BYTES + inner.write(`${kind}\0`, HASH_BLOCK_BYTES, 'latin1');
    inner.set(padded, start);
    outer.write(hash('sha256', inner.subarray(0, start + padded.length), 'latin1'), HASH_BLOCK_BYTES, 'latin1');
    return hash('sha256', outer, 'latin1').slice(0, IV_BYTES);
  }

  /** Counter mode in place, which is the same both ways: the bytes, and the encrypted numbers from the IV on, combined. */
  #crypt(iv: Uint8Array, bytes: Uint8Array): void {
    const blocks = this.#counters.subarray(0, Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES);
    blocks.set(iv.subarray(0, BLOCK_BYTES));
    // Each block is the one before and one, as one number of 16 bytes.
    for (let place = BLOCK_BYTES, carry = 1; place < blocks.length; place += BLOCK_BYTES, carry = 1) {
      for (let digit = place + BLOCK_BYTES - 1; digit >= place; digit--) {
        const sum = (blocks[digit - BLOCK_BYTES] ?? 0) + carry;
        blocks[digit] = sum & 0xff;
        carry = sum >> 8;
      }
    }
    const stream = this.#cipher.update(blocks);
    for (let place = 0; place < bytes.length; place++) bytes[place] = (bytes[place] ?? 0) ^ (stream[place] ?? 0);
  }
}

/** The two buffers that HMAC hashes, begun with its key; the rest is written anew each time. */
function macBuffers(key: Uint8Array): { readonly inner: Buffer; readonly outer: Buffer } {
  const begun = (pad: number, rest: number): Buffer => {
    const buffer = Buffer.alloc(HASH_BLOCK_BYTES + rest);
    for (let place = 0; place < HASH_BLOCK_BYTES; place++) buffer[place] = (key[place] ?? 0) ^ pad;
    return buffer;
  };
  return { inner: begun(0x36, KIND_BYTES_MAX + Math.max(...PADDED_BYTES)), outer: begun(0x5c, HASH_BYTES) };
}
