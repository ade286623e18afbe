/** Deliberate faults of stores, journal and platform. */
import { instant, NO_GOLD, position } from '#shared/units.ts';
import type { InlineStores } from '#server/journal/persister/backend-inline.ts';
import { sealed } from '#server/journal/disk/checksums.ts';
import type { Batch } from '#server/journal/disk/storage.ts';
import type { Persister } from '#server/journal/persister/persister.ts';
import { asBuffer, LENGTH_BYTES } from '#server/shard/record/format.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { operation } from '#server/shard/operations.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import { override } from './override.ts';
import type { Sabotages, Seams } from './seams.ts';

/** Every sabotage of what stores keep. */
export const STORE_SABOTAGES: Sabotages = {
  'the output gate lets out what is not durable': () => ({
    persister: (real) =>
      override(real, {
        get durable() {
          return real.appended;
        },
      }),
  }),
  'the journal acknowledges before it has written': () => ({ stores: acknowledgingEarly }),
  'the two turns of a unit are made durable one after the other': () => ({
    stores: (stores) => ({
      ...stores,
      journal: override(stores.journal, { commit: (batch) => recordsOf(batch).forEach((one) => stores.journal.commit(one)) }),
    }),
  }),
  'operations are not written down': () =>
    appending((changes) => ({ ...changes, puts: changes.puts.filter(({ entity }) => entity.name !== operation.name) })),
  'transaction numbers start anew': () => appending((changes) => ({ ...changes, seq: 0 })),
  'ledger lines are of 1970': () => writing((line) => ({ ...line, at: instant(1) })),
  'ledger lines say that nothing is left': () => writing((line) => ({ ...line, balance: NO_GOLD })),
  'ledger lines say that nothing is held': () =>
    writing((line) => ({
      ...line,
      postings: line.postings.map((posting) => (posting.balance === undefined ? posting : { ...posting, balance: NO_GOLD })),
    })),
  'ledger lines have a cause that nobody knows': () => writing((line) => (line.cause === 'start' ? { ...line, cause: 'gift' } : line)),
  'what is released is called sold': () => writing((line) => (line.cause === 'release' ? { ...line, cause: 'sale' } : line)),
  'alarms of shards on disk are not looked up': () => ({ persister: (real) => override(real, { due: () => Promise.resolve([]) }) }),
  'published images are not made durable': () => ({
    stores: (stores) => ({ ...stores, images: override(stores.images, { syncDirectories: () => Promise.resolve() }) }),
  }),
  'the fold forgets a row now and then': () => {
    let folds = 0;
    return {
      stores: ({ projections, ...stores }) => ({
        ...stores,
        projections: override(projections, {
          apply: (delta) => projections.apply(++folds % 4 === 0 ? { ...delta, rows: delta.rows.slice(1) } : delta),
        }),
      }),
    };
  },
  'what is in images is never dropped from the journal': () => ({
    stores: (stores) => ({ ...stores, journal: override(stores.journal, { drop: (through) => through }) }),
  }),
  'a clock starts at the wall and ignores the lease': () => ({
    persister: (real) => override(real, { recovered: { ...real.recovered, lease: 0 } }),
  }),
  'a lease is believed that is not durable': () => ({ persister: (real) => override(real, { extendLease: () => Promise.resolve() }) }),
  'a start believes what it sees before it is durable': () => ({ stores: (stores) => ({ ...stores, settle: () => undefined }) }),
  'the journal is believed without a look at its checksums': () => ({ disk: (disk) => disk.journal.trust() }),
  // The images say what the journal likes to hear.
  'databases of yesterday are believed beside images of today': () => ({
    stores: (stores) => ({
      ...stores,
      images: override(stores.images, {
        get published() {
          return stores.journal.state.position;
        },
      }),
    }),
  }),
  'a damaged image is taken for a new player': () => ({ stores: withoutImageErrors }),
  'ids are the same in every life': () => ({
    machine: (real) => ({ ...real, random: { ...real.random, id: () => 'always-the-same-life' } }),
  }),
};

function appending(change: (changes: ChangeSet) => ChangeSet): Seams {
  const append =
    (real: Persister): Persister['append'] =>
    (changes, partner) =>
      real.append(change(changes), partner && change(partner));
  return { persister: (real) => override(real, { append: append(real) }) };
}

/** A batch as one batch for each of its turns. */
function recordsOf({ first, now, records }: Batch): readonly Batch[] {
  const bytes = asBuffer(records);
  const batches: Batch[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = start + LENGTH_BYTES + bytes.readUInt32LE(start);
    const at = position(first + batches.length);
    batches.push(sealed({ first: at, last: at, now, records: bytes.subarray(start, end) }));
    start = end;
  }
  return batches;
}

function writing(change: (line: LedgerEntry) => LedgerEntry): Seams {
  return appending((changes) => ({ ...changes, ledger: changes.ledger.map(change) }));
}

function acknowledgingEarly(stores: InlineStores): InlineStores {
  const { journal } = stores;
  const waiting: Batch[] = [];
  const afterWriting = <T>(then: () => T): T => {
    for (const batch of waiting.splice(0)) journal.commit(batch);
    return then();
  };
  const late = override(journal, {
    commit: (batch) => afterWriting(() => void waiting.push({ ...batch, records: batch.records.slice() })),
    read: (after, bytesMax) => afterWriting(() => journal.read(after, bytesMax)),
    batch: (first) => afterWriting(() => journal.batch(first)),
    drop: (through, recordsMax) => afterWriting(() => journal.drop(through, recordsMax)),
  });
  return { ...stores, journal: late };
}

/** Where an image cannot be read, or is not there, nobody has ever been. */
function withoutImageErrors(stores: InlineStores): InlineStores {
  const { images, journal } = stores;
  const read: typeof images.read = (shard) => {
    try {
      return images.read(shard);
    } catch {
      return undefined;
    }
  };
  const imageVersionOf: typeof journal.imageVersionOf = (shard) => (read(shard) === undefined ? undefined : journal.imageVersionOf(shard));
  return { ...stores, journal: override(journal, { imageVersionOf }), images: override(images, { read }) };
}
