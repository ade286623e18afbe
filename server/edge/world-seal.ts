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
import { createCipheriv, createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { IdKind } from '#shared/schemas.ts';
import { sealedId, type SealedId } from '#shared/units.ts';

const IV_BYTES = 16;
/**
 * The sizes that ids are padded to: `12345.` and a UUID in a market with a name of 8 letters; the
 * longest transaction; the longest cursor. With the IV each is a multiple of three bytes, so that
 * base64 has no bits to spare, and each id has one text.
 */
const PADDED_BYTES = [62, 143, 287] as const;
/**
 * Sealed texts that are kept: about 5 MB. A page of a hundred results is mostly what somebody was
 * shown a moment ago; sealing it anew takes 0.4 ms, looking it up 0.02 ms.
 */
const KEPT_MAX = 16_384;

/** Seals and opens with the key of one world. */
export class WorldSeal {
  readonly #macKey: KeyObject;
  readonly #cipherKey: KeyObject;
  readonly #keptByKind: Readonly<Record<IdKind, Map<string, SealedId>>> = { listing: new Map(), transaction: new Map(), cursor: new Map() };

  constructor(worldKey: string) {
    const derived = (purpose: string): KeyObject =>
      createSecretKey(Buffer.from(hkdfSync('sha256', worldKey, '', `gavel ids: ${purpose}`, 32)));
    this.#macKey = derived('mac');
    this.#cipherKey = derived('cipher');
  }

  /** The text that clients see for an id. Throws `RangeError` for one that no id can be: too long, or with a NUL. */
  seal(kind: IdKind, id: string): SealedId {
    const keptById = this.#keptByKind[kind];
    const known = keptById.get(id);
    if (known !== undefined) return known;
    const text = this.#sealAnew(kind, id);
    // The one that was kept first goes: what is still shown comes back by itself.
    if (keptById.size >= KEPT_MAX) for (const oldest of keptById.keys()) if (keptById.delete(oldest)) break;
    keptById.set(id, text);
    return text;
  }

  /** The id of that kind that a text stands for, or `undefined` if this seal never made it. */
  open(kind: IdKind, text: string): string | undefined {
    const bytes = Buffer.from(text, 'base64url');
    if (!PADDED_BYTES.some((size) => bytes.length === IV_BYTES + size)) return undefined;
    // Node reads over what is no base64url: only the one text that these bytes are written as is an id.
    if (bytes.toString('base64url') !== text) return undefined;
    const iv = bytes.subarray(0, IV_BYTES);
    const padded = this.#crypt(iv, bytes.subarray(IV_BYTES));
    if (!timingSafeEqual(iv, this.#ivOf(kind, padded))) return undefined;
    const end = padded.indexOf(0);
    return padded.toString('utf8', 0, end === -1 ? padded.length : end);
  }

  #sealAnew(kind: IdKind, id: string): SealedId {
    const length = Buffer.byteLength(id);
    const size = PADDED_BYTES.find((bytes) => length <= bytes);
    if (size === undefined || id.includes('\0')) throw new RangeError(`no id is like this one of ${length} bytes`);
    const padded = Buffer.alloc(size);
    padded.write(id);
    const iv = this.#ivOf(kind, padded);
    return sealedId(Buffer.concat([iv, this.#crypt(iv, padded)]).toString('base64url'));
  }

  #ivOf(kind: IdKind, padded: Uint8Array): Buffer {
    return createHmac('sha256', this.#macKey).update(`${kind}\0`).update(padded).digest().subarray(0, IV_BYTES);
  }

  /** In counter mode both ways are the same. */
  #crypt(iv: Uint8Array, bytes: Uint8Array): Buffer {
    return createCipheriv('aes-256-ctr', this.#cipherKey, iv).update(bytes);
  }
}
