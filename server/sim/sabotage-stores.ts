/** Deliberate faults of stores, journal and platform. */
import { instant, NO_GOLD, type ShardId } from '#shared/units.ts';
import type { InlineStores } from '#server/journal/persister/backend-inline.ts';
import type { Persister } from '#server/journal/persister/persister.ts';
import type { Batch } from '#server/journal/disk/storage.ts';
import type { Machine } from '#server/platform/platform.ts';
import type { ChangeSet } from '#server/shard/change-set.ts';
import { operation } from '#server/shard/operations.ts';
import type { LedgerEntry } from '#server/shard/ledger.ts';
import { override } from './override.ts';
import type { Sabotage } from './sabotage.ts';

/** Every sabotage of what stores keep. */
export const STORE_SABOTAGES: readonly Sabotage[] = [
  { name: 'the output gate lets out what is not durable', seams: () => ({ persister: withoutGate }) },
  { name: 'the journal acknowledges before it has written', seams: () => ({ stores: acknowledgingEarly }) },
  { name: 'operations are not written down', seams: () => ({ persister: (real) => appending(real, withoutOperations) }) },
  { name: 'transaction numbers start anew', seams: () => ({ persister: (real) => appending(real, withoutCounter) }) },
  { name: 'ledger lines are of 1970', seams: () => ({ persister: (real) => appending(real, ofLongAgo) }) },
  { name: 'ledger lines say that nothing is left', seams: () => ({ persister: (real) => appending(real, withoutBalance) }) },
  { name: 'ledger lines say that nothing is held', seams: () => ({ persister: (real) => appending(real, withoutHeld) }) },
  {
    name: 'ledger lines have a cause that nobody knows',
    seams: () => ({ persister: (real) => appending(real, renamed('start', 'gift')) }),
  },
  { name: 'what is released is called sold', seams: () => ({ persister: (real) => appending(real, renamed('release', 'sale')) }) },
  { name: 'alarms of shards on disk are not looked up', seams: () => ({ persister: withoutDue }) },
  { name: 'published images are not made durable', seams: () => ({ stores: withoutDirectorySync }) },
  { name: 'the fold forgets a row now and then', seams: () => ({ stores: foldingCarelessly() }) },
  { name: 'what is in images is never dropped from the journal', seams: () => ({ stores: hoarding }) },
  { name: 'a clock starts at the wall and ignores the lease', seams: () => ({ persister: withoutLease }) },
  { name: 'a lease is believed that is not durable', seams: () => ({ persister: leasingInMemory }) },
  {
    name: 'a start believes what it sees before it is durable',
    seams: () => ({ stores: (stores) => ({ ...stores, settle: () => undefined }) }),
  },
  { name: 'the journal is believed without a look at its checksums', seams: () => ({ disk: (disk) => disk.trust() }) },
  { name: 'databases of yesterday are believed beside images of today', seams: () => ({ stores: withoutMark }) },
  { name: 'a damaged image is taken for a new player', seams: () => ({ stores: withoutImageErrors }) },
  { name: 'ids are the same in every life', seams: () => ({ machine: withoutIds }), isRare: true },
];

function withoutIds(real: Machine): Machine {
  return { ...real, random: { ...real.random, id: () => 'always-the-same-life' } };
}

function withoutGate(real: Persister): Persister {
  return override(real, {
    get durable() {
      return real.appended;
    },
  });
}

function withoutLease(real: Persister): Persister {
  return override(real, { recovered: { ...real.recovered, lease: 0 } });
}

function leasingInMemory(real: Persister): Persister {
  return override(real, { extendLease: () => Promise.resolve() });
}

function withoutDue(real: Persister): Persister {
  return override(real, { due: () => Promise.resolve([]) });
}

function appending(real: Persister, change: (changes: ChangeSet) => ChangeSet): Persister {
  return override(real, { append: (changes) => real.append(change(changes)) });
}

function withoutOperations(changes: ChangeSet): ChangeSet {
  return { ...changes, puts: changes.puts.filter(({ entity }) => entity.name !== operation.name) };
}

function withoutCounter(changes: ChangeSet): ChangeSet {
  return { ...changes, seq: 0 };
}

function ofLongAgo(changes: ChangeSet): ChangeSet {
  return { ...changes, ledger: changes.ledger.map((line) => ({ ...line, at: instant(1) })) };
}

function renamed(cause: string, other: string): (changes: ChangeSet) => ChangeSet {
  return (changes) => ({ ...changes, ledger: changes.ledger.map((line) => (line.cause === cause ? { ...line, cause: other } : line)) });
}

function withoutBalance(changes: ChangeSet): ChangeSet {
  return { ...changes, ledger: changes.ledger.map((line) => ({ ...line, balance: NO_GOLD })) };
}

function withoutHeld(changes: ChangeSet): ChangeSet {
  const postingsOf = ({ postings }: LedgerEntry): LedgerEntry['postings'] =>
    postings.map((posting) => (posting.balance === undefined ? posting : { ...posting, balance: NO_GOLD }));
  return { ...changes, ledger: changes.ledger.map((line) => ({ ...line, postings: postingsOf(line) })) };
}

function acknowledgingEarly(stores: InlineStores): InlineStores {
  const { journal } = stores;
  const waiting: Batch[] = [];
  const write = (): void => {
    for (const batch of waiting.splice(0)) journal.commit(batch);
  };
  const afterWriting = <T>(read: () => T): T => {
    write();
    return read();
  };
  const late = override(journal, {
    commit: (batch) => {
      write();
      waiting.push({ ...batch, records: batch.records.slice() });
    },
    read: (after, bytesMax) => afterWriting(() => journal.read(after, bytesMax)),
    batch: (first) => afterWriting(() => journal.batch(first)),
    drop: (through, recordsMax) => afterWriting(() => journal.drop(through, recordsMax)),
  });
  return { ...stores, journal: late };
}

function withoutDirectorySync(stores: InlineStores): InlineStores {
  return { ...stores, images: override(stores.images, { syncDirectories: () => Promise.resolve() }) };
}

function foldingCarelessly(): (stores: InlineStores) => InlineStores {
  let folds = 0;
  return (stores) => {
    const { projections } = stores;
    return {
      ...stores,
      projections: override(projections, {
        apply: (delta) => projections.apply(++folds % 4 === 0 ? { ...delta, rows: delta.rows.slice(1) } : delta),
      }),
    };
  };
}

/** Says that all is dropped, and drops nothing. */
function hoarding(stores: InlineStores): InlineStores {
  return { ...stores, journal: override(stores.journal, { drop: (through) => through }) };
}

/** Where an image cannot be read, or is not there, nobody has ever been. */
function withoutImageErrors(stores: InlineStores): InlineStores {
  const { images, journal } = stores;
  const read = (shard: ShardId): ReturnType<typeof images.read> => {
    try {
      return images.read(shard);
    } catch {
      return undefined;
    }
  };
  const imageVersionOf = (shard: ShardId): ReturnType<typeof journal.imageVersionOf> =>
    read(shard) === undefined ? undefined : journal.imageVersionOf(shard);
  return { ...stores, journal: override(journal, { imageVersionOf }), images: override(images, { read }) };
}

/** The images say what the journal likes to hear. */
function withoutMark(stores: InlineStores): InlineStores {
  const { journal } = stores;
  const images = override(stores.images, {
    get published() {
      return journal.state.position;
    },
  });
  return { ...stores, images };
}
