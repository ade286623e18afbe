/** Rowid tables as b-trees: written whole from sorted rows, and read back. Part of the image that `image.ts` describes. */
import { readVarint, varintLength, writeVarint, type Cursor } from './record.ts';

/** The page size of what is written here (1.3.2); small, for a small shard. */
export const PAGE_BYTES = 1_024;
/** The header of the database, at the start of its first page (1.3). */
export const HEADER_BYTES = 100;

/** Kinds of page, and the sizes of their headers (1.6, "B-tree Page Header Format"). */
const LEAF = 0x0d;
const INTERIOR = 0x05;
const LEAF_HEADER_BYTES = 8;
const INTERIOR_HEADER_BYTES = 12;
/** A row that takes more than `LOCAL_MAX` goes on in pages of its own: X and M of 1.6, for tables. */
const LOCAL_MAX = PAGE_BYTES - 35;
const LOCAL_MIN = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
/** What a page of its own takes of it, behind the number of the next one (1.7). */
const OVERFLOW_BYTES = PAGE_BYTES - 4;

/** One row: its id and its record. */
export interface BtreeCell {
  readonly rowid: number;
  readonly record: Buffer;
}

/** A page and the greatest row id below it. */
interface Child {
  readonly page: number;
  readonly rowid: number;
}

/** Pages of a database that is being written. Pages are numbered from 1. */
export class PageWriter {
  #bytes: Buffer;
  #pages: number;

  /** Starts with pages that are there already. */
  constructor(start: Buffer, reserveBytes = 64 * 1_024) {
    this.#bytes = Buffer.alloc(Math.max(start.length, reserveBytes));
    start.copy(this.#bytes);
    this.#pages = start.length / PAGE_BYTES;
  }

  /** The number of pages. */
  get pages(): number {
    return this.#pages;
  }

  /** The database as it is: valid until the next page is added. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#pages * PAGE_BYTES);
  }

  /** Adds an empty page and returns its number. */
  add(): number {
    this.#pages++;
    if (this.#pages * PAGE_BYTES > this.#bytes.length) {
      const larger = Buffer.alloc(this.#bytes.length * 2);
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    return this.#pages;
  }

  /** Writes a whole table, its rows sorted by id, with its root at a page that is there already. */
  table(rootPage: number, cells: readonly BtreeCell[]): void {
    const reserved = rootPage === 1 ? HEADER_BYTES : 0;
    const leaves = leafGroups(cells, reserved);
    if (leaves.length === 1) return this.#leaf(rootPage, cells);
    let children: Child[] = leaves.map((group) => {
      const page = this.add();
      this.#leaf(page, group);
      return { page, rowid: group.at(-1)?.rowid ?? 0 };
    });
    while (!fitsInterior(children, reserved)) {
      children = interiorGroups(children).map((group) => {
        const page = this.add();
        this.#interior(page, group);
        return { page, rowid: group.at(-1)?.rowid ?? 0 };
      });
    }
    this.#interior(rootPage, children);
  }

  #leaf(page: number, cells: readonly BtreeCell[]): void {
    const base = (page - 1) * PAGE_BYTES;
    const header = base + (page === 1 ? HEADER_BYTES : 0);
    let content = PAGE_BYTES;
    for (const [index, cell] of cells.entries()) {
      content -= cellLength(cell);
      this.#bytes.writeUInt16BE(content, header + LEAF_HEADER_BYTES + 2 * index);
      this.#cell(base + content, cell);
    }
    this.#pageHeader(header, LEAF, cells.length, content);
  }

  #cell(start: number, { rowid, record }: BtreeCell): void {
    let at = writeVarint(this.#bytes, start, record.length);
    at = writeVarint(this.#bytes, at, rowid);
    const local = localLength(record.length);
    record.copy(this.#bytes, at, 0, local);
    if (local === record.length) return;
    let pointer = at + local;
    for (let offset = local; offset < record.length; offset += OVERFLOW_BYTES) {
      const page = this.add();
      this.#bytes.writeUInt32BE(page, pointer);
      pointer = (page - 1) * PAGE_BYTES;
      this.#bytes.writeUInt32BE(0, pointer);
      record.copy(this.#bytes, pointer + 4, offset, Math.min(record.length, offset + OVERFLOW_BYTES));
    }
  }

  #interior(page: number, children: readonly Child[]): void {
    const base = (page - 1) * PAGE_BYTES;
    const header = base + (page === 1 ? HEADER_BYTES : 0);
    let content = PAGE_BYTES;
    children.slice(0, -1).forEach((child, index) => {
      content -= 4 + varintLength(child.rowid);
      this.#bytes.writeUInt16BE(content, header + INTERIOR_HEADER_BYTES + 2 * index);
      this.#bytes.writeUInt32BE(child.page, base + content);
      writeVarint(this.#bytes, base + content + 4, child.rowid);
    });
    this.#pageHeader(header, INTERIOR, children.length - 1, content);
    this.#bytes.writeUInt32BE(children.at(-1)?.page ?? 0, header + 8);
  }

  #pageHeader(at: number, type: number, cells: number, content: number): void {
    this.#bytes[at] = type;
    this.#bytes.writeUInt16BE(0, at + 1);
    this.#bytes.writeUInt16BE(cells, at + 3);
    this.#bytes.writeUInt16BE(content, at + 5);
    this.#bytes[at + 7] = 0;
  }
}

/** The rows of a table that `PageWriter` has written, in the order of their ids. Records are views of `bytes`, unless they are long. */
export function readTable(bytes: Buffer, rootPage: number): BtreeCell[] {
  const cells: BtreeCell[] = [];
  readPage(bytes, rootPage, cells);
  return cells;
}

function readPage(bytes: Buffer, page: number, cells: BtreeCell[]): void {
  const base = (page - 1) * PAGE_BYTES;
  const header = base + (page === 1 ? HEADER_BYTES : 0);
  const count = bytes.readUInt16BE(header + 3);
  if (bytes[header] === LEAF) {
    for (let index = 0; index < count; index++) {
      cells.push(readCell(bytes, base + bytes.readUInt16BE(header + LEAF_HEADER_BYTES + 2 * index)));
    }
    return;
  }
  for (let index = 0; index < count; index++) {
    const at = base + bytes.readUInt16BE(header + INTERIOR_HEADER_BYTES + 2 * index);
    readPage(bytes, bytes.readUInt32BE(at), cells);
  }
  readPage(bytes, bytes.readUInt32BE(header + 8), cells);
}

function readCell(bytes: Buffer, start: number): BtreeCell {
  const cursor: Cursor = { at: start };
  const length = readVarint(bytes, cursor);
  const rowid = readVarint(bytes, cursor);
  const local = localLength(length);
  const end = cursor.at + local;
  if (local === length) return { rowid, record: bytes.subarray(cursor.at, end) };
  const record = Buffer.allocUnsafe(length);
  bytes.copy(record, 0, cursor.at, end);
  let page = bytes.readUInt32BE(end);
  for (let offset = local; offset < length; offset += OVERFLOW_BYTES) {
    const at = (page - 1) * PAGE_BYTES;
    bytes.copy(record, offset, at + 4, at + 4 + Math.min(OVERFLOW_BYTES, length - offset));
    page = bytes.readUInt32BE(at);
  }
  return { rowid, record };
}

/** How much of a record stays on its leaf (1.6: X, M and K). */
function localLength(length: number): number {
  if (length <= LOCAL_MAX) return length;
  const surplus = LOCAL_MIN + ((length - LOCAL_MIN) % OVERFLOW_BYTES);
  return surplus <= LOCAL_MAX ? surplus : LOCAL_MIN;
}

function cellLength({ rowid, record }: BtreeCell): number {
  const local = localLength(record.length);
  return varintLength(record.length) + varintLength(rowid) + local + (local === record.length ? 0 : 4);
}

/** Which rows go into which leaf. A root that shares its page with the header of the database has less room. */
function leafGroups(cells: readonly BtreeCell[], reserved: number): readonly (readonly BtreeCell[])[] {
  const room = PAGE_BYTES - LEAF_HEADER_BYTES;
  const groups: BtreeCell[][] = [];
  let group: BtreeCell[] | undefined;
  let used = 0;
  let total = 0;
  for (const cell of cells) {
    const length = cellLength(cell) + 2;
    if (group === undefined || used + length > room) {
      group = [];
      groups.push(group);
      used = 0;
    }
    group.push(cell);
    used += length;
    total += length;
  }
  // One leaf would do, but not on the first page: then that page becomes the root of two.
  const half = Math.ceil(cells.length / 2);
  if (groups.length === 1 && total > room - reserved) return [cells.slice(0, half), cells.slice(half)];
  return groups.length === 0 ? [cells] : groups;
}

/** A child's page, its greatest row id, and the place of the cell (1.6). Ids below 2^53 take eight bytes at most. */
const INTERIOR_CELL_BYTES_MAX = 4 + 8 + 2;

function fitsInterior(children: readonly Child[], reserved: number): boolean {
  return (children.length - 1) * INTERIOR_CELL_BYTES_MAX <= PAGE_BYTES - INTERIOR_HEADER_BYTES - reserved;
}

/** Children of inner pages, evenly: a page with a single child would be none. */
function interiorGroups(children: readonly Child[]): readonly (readonly Child[])[] {
  const most = Math.floor((PAGE_BYTES - INTERIOR_HEADER_BYTES) / INTERIOR_CELL_BYTES_MAX) + 1;
  const count = Math.ceil(children.length / most);
  const startOf = (index: number): number => Math.floor((index * children.length) / count);
  return Array.from({ length: count }, (_, index) => children.slice(startOf(index), startOf(index + 1)));
}
