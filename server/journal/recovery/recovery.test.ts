import { describe, expect, it } from '@jest/globals';
import { nodeName, position } from '#shared/units.ts';
import { DataDirectoryError } from '../persister/persister.ts';
import {
  decide,
  DIRECTORY_FORMAT,
  DIRECTORY_ROWS,
  STORE_ROWS,
  type DirectoryFacts,
  type RecoveryRow,
  type StoreFacts,
} from './recovery.ts';
import { DEFINITION } from '../testing/sample.ts';

const manifest = { format: DIRECTORY_FORMAT, instance: 'i', world: 'sample', node: nodeName('one'), cellsPerRegion: 64 };
const directory: DirectoryFacts = {
  path: '/data',
  manifest: { kind: 'read', manifest },
  world: DEFINITION.world,
  known: ['gavel.json', 'journal.db', 'node.db', 'images', 'staging', 'lock.db'],
  unknown: [],
};
const journal = {
  kind: 'open',
  instance: 'i',
  position: position(100),
  dropped: position(40),
  damage: undefined,
  imageVersions: 5,
} as const;
const projections = { kind: 'open', instance: 'i', folded: position(100) } as const;
const mark = { kind: 'read', instance: 'i', through: position(60) } as const;
const stores: StoreFacts = { instance: 'i', journal, projections, hasImages: true, mark, staged: 0 };
const missing = { kind: 'missing' } as const;

const directoryCases: Readonly<Record<string, { readonly facts: DirectoryFacts; readonly says: string }>> = {
  'gavel.json cannot be read': {
    facts: { ...directory, manifest: { kind: 'unreadable' } },
    says: 'its gavel.json is not what Gavel writes',
  },
  'stores without gavel.json': {
    facts: { ...directory, manifest: missing, known: ['journal.db'] },
    says: 'it has journal.db, but no gavel.json',
  },
  'a newer format': { facts: withManifest({ format: DIRECTORY_FORMAT + 1 }), says: 'it was written by a newer version of Gavel' },
  'another world': { facts: withManifest({ world: 'other' }), says: 'belongs to the world other, and not to sample' },
  'another node': { facts: withManifest({ node: nodeName('two') }), says: 'belongs to the node two, and not to one' },
  'another number of cells': { facts: withManifest({ cellsPerRegion: 32 }), says: 'another number of cells per region than 64' },
  'unknown files': { facts: { ...directory, unknown: ['photo.jpg'] }, says: 'not files of Gavel, left alone: photo.jpg' },
};

const storeCases: Readonly<Record<string, { readonly facts: StoreFacts; readonly says: string }>> = {
  'the journal is missing, and there are images or projections': { facts: { ...stores, journal: missing }, says: 'journal.db) is missing' },
  'the journal is of another directory': {
    facts: { ...stores, journal: { ...journal, instance: 'x' } },
    says: 'of another data directory',
  },
  'the journal is damaged': { facts: { ...stores, journal: { ...journal, damage: 'a gap' } }, says: 'a gap' },
  'the images are missing': { facts: { ...stores, hasImages: false }, says: 'the shard images (images) are missing' },
  'what the images say of themselves is damaged': {
    facts: { ...stores, mark: { kind: 'damaged' } },
    says: 'images/published.json is damaged',
  },
  'the images are of another directory': {
    facts: { ...stores, mark: { ...mark, instance: 'x' } },
    says: 'the shard images (images) are of another data directory',
  },
  'the images are newer than the journal': {
    facts: { ...stores, mark: { ...mark, through: position(101) } },
    says: 'is older than the shard images',
  },
  'the images are older than what the journal has dropped': {
    facts: { ...stores, mark: { ...mark, through: position(39) } },
    says: 'the shard images (images) are older than the journal',
  },
  'the images do not say of which moment they are': {
    facts: { ...stores, mark: missing },
    says: 'images/published.json was missing',
  },
  'the projections are missing, and cannot be made again': { facts: { ...stores, projections: missing }, says: 'no longer has all' },
  'the projections are of another directory': {
    facts: { ...stores, projections: { ...projections, instance: 'x' } },
    says: 'of another data',
  },
  'the projections are behind what the journal has dropped': {
    facts: { ...stores, projections: { ...projections, folded: position(39) } },
    says: 'ledger lines between them are lost',
  },
  'the projections are ahead of the journal': {
    facts: { ...stores, projections: { ...projections, folded: position(101) } },
    says: 'turns are lost',
  },
  'the projections are missing, and are made again': {
    facts: { ...stores, projections: missing, journal: { ...journal, dropped: position(0), imageVersions: 0 } },
    says: 'were made again from the journal',
  },
  'the projections are behind the journal': { facts: { ...stores, projections: { ...projections, folded: position(40) } }, says: '' },
  'images were left in the staging area': { facts: { ...stores, staged: 3 }, says: '3 images that were not finished' },
};

function withManifest(changes: Partial<typeof manifest>): DirectoryFacts {
  return { ...directory, manifest: { kind: 'read', manifest: { ...manifest, ...changes } } };
}

function outcome<Facts>(rows: readonly RecoveryRow<Facts>[], facts: Facts): { readonly kind: string; readonly says: string } {
  try {
    const remarks = decide(rows, facts);
    return { kind: remarks.length > 0 ? 'remark' : 'settle', says: remarks.join() };
  } catch (error) {
    expect(error).toBeInstanceOf(DataDirectoryError);
    return { kind: 'refuse', says: error instanceof Error ? error.message : '' };
  }
}

function checkRow<Facts>(rows: readonly RecoveryRow<Facts>[], row: RecoveryRow<Facts>, facts: Facts, says: string): void {
  expect(rows.filter(({ when }) => when(facts)).map(({ finding }) => finding)).toEqual([row.finding]);
  const { kind, says: said } = outcome(rows, facts);
  expect(row).toHaveProperty(kind);
  expect(said).toContain(says);
}

describe('recovery', () => {
  it.each(DIRECTORY_ROWS)('decides about a directory: $finding', (row) => {
    const known = directoryCases[row.finding];
    if (known === undefined) throw new Error(`no case for the row: ${row.finding}`);
    checkRow(DIRECTORY_ROWS, row, known.facts, known.says);
  });

  it.each(STORE_ROWS)('decides about the stores: $finding', (row) => {
    const known = storeCases[row.finding];
    if (known === undefined) throw new Error(`no case for the row: ${row.finding}`);
    checkRow(STORE_ROWS, row, known.facts, known.says);
  });

  it('opens a directory exactly if it is in order, whatever else is so, and says what is out of the ordinary', () => {
    const decisive = checkAll(DIRECTORY_ROWS, allDirectories(), isDirectoryInOrder, ({ unknown }) =>
      unknown.length > 0 ? ['unknown files'] : [],
    );
    expect(decisive).toEqual(new Set(DIRECTORY_ROWS.map(({ finding }) => finding)));
  });

  it('opens stores exactly if they are of one moment of one directory, whatever else is so, and says what it makes good', () => {
    const decisive = checkAll(STORE_ROWS, allStores(), areStoresInOrder, madeGood);
    expect(decisive).toEqual(new Set(STORE_ROWS.map(({ finding }) => finding)));
  });
});

/** Every combination of what can be said of a directory. */
function* allDirectories(): Generator<DirectoryFacts> {
  const manifests: DirectoryFacts['manifest'][] = [missing, { kind: 'unreadable' }];
  for (const format of [1, DIRECTORY_FORMAT, DIRECTORY_FORMAT + 1])
    for (const world of ['sample', 'other'])
      for (const node of ['one', 'two'])
        for (const cellsPerRegion of [64, 32])
          manifests.push({ kind: 'read', manifest: { ...manifest, format, world, node: nodeName(node), cellsPerRegion } });
  for (const one of manifests)
    for (const known of [[], ['lock.db'], ['images'], ['journal.db', 'node.db']])
      for (const unknown of [[], ['photo.jpg']]) yield { ...directory, manifest: one, known, unknown };
}

function isDirectoryInOrder({ manifest: found, known }: DirectoryFacts): boolean {
  if (found.kind === 'missing') return known.every((name) => name === 'lock.db');
  if (found.kind === 'unreadable') return false;
  const { format, world, node, cellsPerRegion } = found.manifest;
  return format <= DIRECTORY_FORMAT && world === 'sample' && node === 'one' && cellsPerRegion === 64;
}

/** Every combination of what can be said of the stores, with each relation between the positions that they name. */
function* allStores(): Generator<StoreFacts> {
  const journals: StoreFacts['journal'][] = [missing];
  for (const instance of ['i', 'x'])
    for (const [last, dropped] of [
      [0, 0],
      [100, 0],
      [100, 40],
      [100, 100],
    ] as const)
      for (const damage of [undefined, 'a gap'])
        for (const imageVersions of [0, 5])
          journals.push({ ...journal, instance, position: position(last), dropped: position(dropped), damage, imageVersions });
  const positions = [0, 39, 40, 99, 100, 101];
  const folds: StoreFacts['projections'][] = [missing];
  const marks: StoreFacts['mark'][] = [missing, { kind: 'damaged' }];
  for (const instance of ['i', 'x']) {
    for (const through of positions) {
      folds.push({ ...projections, instance, folded: position(through) });
      marks.push({ ...mark, instance, through: position(through) });
    }
  }
  for (const one of journals)
    for (const fold of folds)
      for (const its of marks)
        for (const hasImages of [true, false])
          for (const staged of [0, 3]) yield { instance: 'i', journal: one, projections: fold, mark: its, hasImages, staged };
}

function areStoresInOrder({ journal: found, projections: fold, mark: its, hasImages }: StoreFacts): boolean {
  if (its.kind === 'damaged') return false;
  if (found.kind === 'missing') return fold.kind === 'missing' && its.kind === 'missing' && !hasImages;
  const { instance, position, dropped, damage, imageVersions } = found;
  const isWithin = (through: number): boolean => dropped <= through && through <= position;
  const isOfJournal = instance === 'i' && damage === undefined && (imageVersions === 0 || hasImages);
  const isOfMark = its.kind === 'missing' || (its.instance === 'i' && isWithin(its.through));
  const isOfFold = fold.kind === 'missing' ? dropped === 0 : fold.instance === 'i' && isWithin(fold.folded);
  return isOfJournal && isOfMark && isOfFold;
}

function madeGood({ journal: found, projections: fold, mark: its, hasImages, staged }: StoreFacts): readonly string[] {
  const position = found.kind === 'open' ? found.position : 0;
  return [
    ...(hasImages && its.kind === 'missing' ? ['the images do not say of which moment they are'] : []),
    ...(fold.kind === 'missing' && position > 0 ? ['the projections are missing, and are made again'] : []),
    ...(fold.kind === 'open' && fold.folded < position ? ['the projections are behind the journal'] : []),
    ...(staged > 0 ? ['images were left in the staging area'] : []),
  ];
}

/** Checks each combination: one row refuses it, or it is opened with exactly these findings. Returns the rows that decided something. */
function checkAll<Facts>(
  rows: readonly RecoveryRow<Facts>[],
  all: Iterable<Facts>,
  isInOrder: (facts: Facts) => boolean,
  findings: (facts: Facts) => readonly string[],
): ReadonlySet<string> {
  const decisive = new Set<string>();
  for (const facts of all) {
    const found = rows.filter(({ when }) => when(facts));
    const refusing = found.find((row) => 'refuse' in row);
    const decided = refusing === undefined ? found : [refusing];
    const expected = isInOrder(facts) ? findings(facts) : [refusing?.finding];
    const said = decided.map(({ finding }) => finding);
    // Each of thousands: a message is made only of one that is wrong.
    if (JSON.stringify(said) !== JSON.stringify(expected) || (refusing === undefined) !== isInOrder(facts))
      throw new Error(`${JSON.stringify(facts)}: ${said.join()} instead of ${expected.join()}`);
    for (const finding of said) decisive.add(finding);
  }
  return decisive;
}
