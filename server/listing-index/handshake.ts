/**
 * How node and index know one another: each proves that it has the key, over nonces of both, before either decodes a
 * frame of the other. Nothing is made of what a stranger sends but a comparison of lengths and one hash.
 *
 *     index to node   version, nonce of the index
 *     node to index   version, nonce of the node, proof of the node
 *     index to node   version, proof of the index
 *
 * A proof is an HMAC over who gives it, the version and both nonces: none is good for another connection, for another
 * version, or for the other side. What follows is on that connection, and as safe as the network between the two.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** The version of handshake and frames: another one is not understood. */
export const WIRE_VERSION = 1;

/** Bytes of a nonce. */
export const NONCE_BYTES = 32;
const PROOF_BYTES = 32;

/** The two nonces of one connection. */
export interface Nonces {
  readonly index: Uint8Array;
  readonly node: Uint8Array;
}

type Side = 'node' | 'index';

/** The first message: the nonce of the index. */
export function challengeMessage(nonce: Uint8Array): Uint8Array {
  return Uint8Array.of(WIRE_VERSION, ...nonce);
}

/** The answer to it. */
export function nodeProofMessage(key: string, nonces: Nonces): Uint8Array {
  return Uint8Array.of(WIRE_VERSION, ...nonces.node, ...proofOf(key, 'node', nonces));
}

/** The answer to that. */
export function indexProofMessage(key: string, nonces: Nonces): Uint8Array {
  return Uint8Array.of(WIRE_VERSION, ...proofOf(key, 'index', nonces));
}

/** The version of which a message of the handshake or a frame says that it is; `undefined` if it is this one, or says nothing. */
export function otherVersionOf(bytes: Uint8Array): number | undefined {
  const [version] = bytes;
  return version === undefined || version === WIRE_VERSION ? undefined : version;
}

/** The nonce in a challenge, or `undefined` if it is none. */
export function readChallenge(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 1 + NONCE_BYTES && bytes[0] === WIRE_VERSION ? bytes.slice(1) : undefined;
}

/** Whether this is the proof of a node that has the key; returns its nonce then. */
export function readNodeProof(key: string, indexNonce: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length !== 1 + NONCE_BYTES + PROOF_BYTES || bytes[0] !== WIRE_VERSION) return undefined;
  const node = bytes.slice(1, 1 + NONCE_BYTES);
  return timingSafeEqual(bytes.subarray(1 + NONCE_BYTES), proofOf(key, 'node', { index: indexNonce, node })) ? node : undefined;
}

/** Whether this is the proof of an index that has the key. */
export function isIndexProof(key: string, nonces: Nonces, bytes: Uint8Array): boolean {
  return bytes.length === 1 + PROOF_BYTES && bytes[0] === WIRE_VERSION && timingSafeEqual(bytes.subarray(1), proofOf(key, 'index', nonces));
}

function proofOf(key: string, side: Side, { index, node }: Nonces): Buffer {
  return createHmac('sha256', key).update(`gavel listing index, ${side}, version ${WIRE_VERSION}\n`).update(index).update(node).digest();
}
