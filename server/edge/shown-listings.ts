/**
 * How a listing whose fields are made already goes into an answer: its bytes are copied, with two
 * fields more, into the map that any client reads as `{ id, mine, item, ... }`.
 *
 * Colyseus packs answers by msgpackr, which asks an extension what to make of an instance of its
 * class. One that returns nothing and has written into the buffer itself has written plain
 * MessagePack, without the mark of an extension.
 */
import { addExtension } from 'msgpackr';
import { ShownListing } from '#server/listing-index/shown-listing.ts';

/** Makes room for so many bytes of the answer. */
type Allocate = (size: number) => { readonly target: Uint8Array; readonly position: number };

/** No mark is ever written, but msgpackr wants each extension to have one. */
const UNUSED_TYPE = 0x33;
/** Heads of MessagePack: a map of n fields is `0x80 + n`, up to 15 of them; a text of up to 255 bytes has its length behind its head. */
const MAP_OF_NONE = 0x80;
const FIELDS_MAX = 15;
const SHORT_TEXT = 0xd9;
const SHORT_TEXT_BYTES_MAX = 255;
const FALSE = 0xc2;
const TRUE = 0xc3;
const ID_KEY = [0xa2, ...Buffer.from('id')];
const MINE_KEY = [0xa4, ...Buffer.from('mine')];

/** What msgpackr is told to write after what was written: it writes no extension without bytes. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- msgpackr asks whether there is a result, and declares that there is.
const NOTHING_MORE = null as unknown as Buffer;

let isTaught = false;

/** Teaches it to msgpackr, once in this process. */
export function packShownListings(): void {
  if (isTaught) return;
  isTaught = true;
  addExtension({ Class: ShownListing, type: UNUSED_TYPE, pack: write });
}

/** Typed as msgpackr's pack, which declares one parameter, and is given two. */
function write({ id, mine, body }: ShownListing, allocate?: Allocate): Buffer {
  const fields = (body[0] ?? 0) - MAP_OF_NONE + 2;
  const idBytes = Buffer.from(id);
  if (allocate === undefined || fields < 2 || fields > FIELDS_MAX || idBytes.length > SHORT_TEXT_BYTES_MAX)
    throw new Error(`the listing ${id} cannot be written into an answer`);
  const head = [MAP_OF_NONE + fields, ...ID_KEY, SHORT_TEXT, idBytes.length];
  const tail = [...MINE_KEY, mine ? TRUE : FALSE];
  const { target, position } = allocate(head.length + idBytes.length + tail.length + body.length - 1);
  target.set(head, position);
  target.set(idBytes, position + head.length);
  target.set(tail, position + head.length + idBytes.length);
  target.set(body.subarray(1), position + head.length + idBytes.length + tail.length);
  return NOTHING_MORE;
}
