import { describe, expect, it } from '@jest/globals';
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

const manifest = { format: DIRECTORY_FORMAT, instance: 'i', world: 'sample', node: 'one', cellsPerRegion: 64 };
const directory: DirectoryFacts = {
  path: '/data',
  manifest: { kind: 'read', manifest },
  world: DEFINITION.world,
  known: ['gavel.json', 'journal.db', 'node.db', 'images', 'staging', 'lock.db'],
  unknown: [],
};
const journal = { kind: 'open', instance: 'i', position: 100, dropped: 40, damage: undefined, imageVersions: 5 } as const;
const projections = { kind: 'open', instance: 'i', folded: 100 } as const;
const mark = { kind: 'read', instance: 'i', through: 60 } as const;
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
  'another node': { facts: withManifest({ node: 'two' }), says: 'belongs to the node two, and not to one' },
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
    facts: { ...stores, mark: { ...mark, through: 101 } },
    says: 'is older than the shard images',
  },
  'the images are older than what the journal has dropped': {
    facts: { ...stores, mark: { ...mark, through: 39 } },
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
    facts: { ...stores, projections: { ...projections, folded: 39 } },
    says: 'ledger lines between them are lost',
  },
  'the projections are ahead of the journal': {
    facts: { ...stores, projections: { ...projections, folded: 101 } },
    says: 'turns are lost',
  },
  'the projections are missing, and are made again': {
    facts: { ...stores, projections: missing, journal: { ...journal, dropped: 0, imageVersions: 0 } },
    says: 'were made again from the journal',
  },
  'the projections are behind the journal': { facts: { ...stores, projections: { ...projections, folded: 40 } }, says: '' },
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
  expect(kind).toBe(row.outcome.kind);
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

  it.each([
    ['images', { hasImages: true }],
    ['projections', { projections }],
    ['the mark of the images', { mark }],
  ])('refuses a start without a journal where %s are left', (_what, left) => {
    const nothing: StoreFacts = { instance: 'i', journal: missing, projections: missing, hasImages: false, mark: missing, staged: 0 };
    expect(() => decide(STORE_ROWS, { ...nothing, ...left })).toThrow('the journal (journal.db) is missing');
  });

  it('finds nothing in a directory that is in order, or new', () => {
    expect(decide(DIRECTORY_ROWS, directory)).toEqual([]);
    expect(decide(DIRECTORY_ROWS, { ...directory, manifest: missing, known: [] })).toEqual([]);
    expect(decide(STORE_ROWS, stores)).toEqual([]);
    expect(
      decide(STORE_ROWS, { instance: 'i', journal: missing, projections: missing, hasImages: false, mark: missing, staged: 0 }),
    ).toEqual([]);
  });
});
