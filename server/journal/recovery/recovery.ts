/**
 * Recovery as a table: what a start may find, and what it makes of it. When a row refuses, nothing
 * has been changed but, at most, the layout of the databases: a directory of an older version is
 * upgraded before anybody can read whether its stores fit.
 *
 * What is found shard by shard (a journal ahead of an image, equal to it, or behind it) is decided
 * when the shard is loaded, in `load.ts`: a start does not look at a million images.
 */
import type { NodeName, Position } from '#shared/units.ts';
import { DataDirectoryError, type PersisterDefinition } from '../persister/persister.ts';

/**
 * The version of the layout of a data directory. A directory of an older one is given this one
 * before any of its databases is upgraded, so that a program that cannot read these refuses it in
 * one sentence of its own.
 */
export const DIRECTORY_FORMAT = 3;

/** What `gavel.json` says of the directory that it is in. */
export interface Manifest {
  readonly format: number;
  /** Made at random with the directory: all its files carry it. */
  readonly instance: string;
  readonly world: string;
  readonly node: NodeName;
  readonly cellsPerRegion: number;
}

/** What is known of a directory before anything in it is opened. */
export interface DirectoryFacts {
  readonly path: string;
  readonly manifest:
    { readonly kind: 'missing' } | { readonly kind: 'unreadable' } | { readonly kind: 'read'; readonly manifest: Manifest };
  readonly world: PersisterDefinition['world'];
  /** Names that Gavel gives to files and directories, as far as they are there. */
  readonly known: readonly string[];
  /** Names that Gavel never gives. */
  readonly unknown: readonly string[];
}

/** What the images say of themselves: no image has anything of a position after `through`. */
export type ImageMark =
  | { readonly kind: 'missing' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'read'; readonly instance: string; readonly through: Position };

/** What is known of the stores once the directory is ours. */
export interface StoreFacts {
  readonly instance: string;
  readonly journal:
    | { readonly kind: 'missing' }
    | {
        readonly kind: 'open';
        readonly instance: string;
        readonly position: Position;
        readonly dropped: Position;
        /**
         * One sentence, if turns are missing; whether each is what was written is seen when it is
         * read.
         */
        readonly damage: string | undefined;
        /** The number of shards of which an image was noted. */
        readonly imageVersions: number;
      };
  readonly projections: { readonly kind: 'missing' } | { readonly kind: 'open'; readonly instance: string; readonly folded: Position };
  readonly hasImages: boolean;
  readonly mark: ImageMark;
  /** Images that a pass had begun. */
  readonly staged: number;
}

/**
 * One row of a table. The first row that refuses ends the start; every row that remarks is told to
 * the operator.
 */
export type RecoveryRow<Facts> = { readonly finding: string; readonly when: (facts: Facts) => boolean } & (
  { readonly refuse: Sentence<Facts> } | { readonly remark: Sentence<Facts> } | { readonly settle: Sentence<Facts> }
);

type Sentence<Facts> = (facts: Facts) => string;

/** Before anything is opened. */
export const DIRECTORY_ROWS: readonly RecoveryRow<DirectoryFacts>[] = [
  {
    finding: 'gavel.json cannot be read',
    when: ({ manifest }) => manifest.kind === 'unreadable',
    refuse: ({ path }) => `${path} cannot be opened: its gavel.json is not what Gavel writes`,
  },
  {
    finding: 'stores without gavel.json',
    when: ({ manifest, known }) => manifest.kind === 'missing' && known.some((name) => STORES.includes(name)),
    refuse: ({ path, known }) => `${path} cannot be opened: it has ${known.join(', ')}, but no gavel.json to say whose they are`,
  },
  {
    finding: 'a newer format',
    when: ({ manifest }) => manifest.kind === 'read' && manifest.manifest.format > DIRECTORY_FORMAT,
    refuse: ({ path }) => `${path} cannot be opened: it was written by a newer version of Gavel`,
  },
  {
    finding: 'another world',
    when: ({ manifest, world }) => manifest.kind === 'read' && manifest.manifest.world !== world.name,
    refuse: ({ path, manifest, world }) => `${path} belongs to the world ${said(manifest, 'world')}, and not to ${world.name}`,
  },
  {
    finding: 'another node',
    when: ({ manifest, world }) => manifest.kind === 'read' && manifest.manifest.node !== world.node,
    refuse: ({ path, manifest, world }) => `${path} belongs to the node ${said(manifest, 'node')}, and not to ${world.node}`,
  },
  {
    finding: 'another number of cells',
    when: ({ manifest, world }) => manifest.kind === 'read' && manifest.manifest.cellsPerRegion !== world.cellsPerRegion,
    refuse: ({ path, world }) => `${path} was made for another number of cells per region than ${world.cellsPerRegion}`,
  },
  {
    finding: 'unknown files',
    when: ({ unknown }) => unknown.length > 0,
    remark: ({ unknown }) => `not files of Gavel, left alone: ${unknown.join(', ')}`,
  },
];

/**
 * Once the directory is ours and its databases have the present layout, before anything else is
 * changed.
 */
export const STORE_ROWS: readonly RecoveryRow<StoreFacts>[] = [
  {
    finding: 'the journal is missing, and there are images or projections',
    when: ({ journal, projections, hasImages, mark }) =>
      journal.kind === 'missing' && (hasImages || projections.kind === 'open' || mark.kind !== 'missing'),
    refuse: () => 'the journal (journal.db) is missing: what was traded since the last images is lost without it',
  },
  {
    finding: 'the journal is of another directory',
    when: ({ journal, instance }) => journal.kind === 'open' && journal.instance !== instance,
    refuse: () => 'the journal (journal.db) is of another data directory',
  },
  {
    finding: 'the journal is damaged',
    when: ({ journal }) => journal.kind === 'open' && journal.damage !== undefined,
    refuse: ({ journal }) => (journal.kind === 'open' ? String(journal.damage) : ''),
  },
  {
    finding: 'the images are missing',
    when: ({ journal, hasImages }) => journal.kind === 'open' && journal.imageVersions > 0 && !hasImages,
    refuse: () => 'the shard images (images) are missing',
  },
  {
    finding: 'what the images say of themselves is damaged',
    when: ({ mark }) => mark.kind === 'damaged',
    refuse: () =>
      'images/published.json is damaged: whether the images are of the same moment as journal.db and node.db cannot be told. If none of ' +
      'them was put back from elsewhere, remove this one file',
  },
  {
    finding: 'the images are of another directory',
    when: ({ mark, instance }) => mark.kind === 'read' && mark.instance !== instance,
    refuse: () => 'the shard images (images) are of another data directory',
  },
  {
    finding: 'the images are newer than the journal',
    when: ({ journal, mark }) => journal.kind === 'open' && mark.kind === 'read' && mark.through > journal.position,
    refuse: () => 'the journal (journal.db) is older than the shard images (images): turns are lost',
  },
  {
    finding: 'the images are older than what the journal has dropped',
    when: ({ journal, mark }) => journal.kind === 'open' && mark.kind === 'read' && mark.through < journal.dropped,
    refuse: () => 'the shard images (images) are older than the journal (journal.db): turns are lost',
  },
  {
    finding: 'the images do not say of which moment they are',
    when: ({ hasImages, mark }) => hasImages && mark.kind === 'missing',
    remark: () =>
      'images/published.json was missing, as in directories of the first version, and was made: this start could not compare the images with the journal',
  },
  {
    finding: 'the projections are missing, and cannot be made again',
    when: ({ journal, projections }) => journal.kind === 'open' && projections.kind === 'missing' && journal.dropped > 0,
    refuse: () => 'the projections (node.db) are missing, and the journal no longer has all that they were made of',
  },
  {
    finding: 'the projections are of another directory',
    when: ({ projections, instance }) => projections.kind === 'open' && projections.instance !== instance,
    refuse: () => 'the projections (node.db) are of another data directory',
  },
  {
    finding: 'the projections are behind what the journal has dropped',
    when: ({ journal, projections }) => journal.kind === 'open' && projections.kind === 'open' && projections.folded < journal.dropped,
    refuse: () => 'the projections (node.db) are older than the journal: ledger lines between them are lost',
  },
  {
    finding: 'the projections are ahead of the journal',
    when: ({ journal, projections }) => journal.kind === 'open' && projections.kind === 'open' && projections.folded > journal.position,
    refuse: () => 'the journal (journal.db) is older than the projections (node.db): turns are lost',
  },
  {
    finding: 'the projections are missing, and are made again',
    when: ({ journal, projections }) =>
      journal.kind === 'open' && projections.kind === 'missing' && journal.position > 0 && journal.dropped === 0,
    remark: () => 'the projections (node.db) were missing, and were made again from the journal',
  },
  {
    finding: 'the projections are behind the journal',
    when: ({ journal, projections }) =>
      journal.kind === 'open' &&
      projections.kind === 'open' &&
      projections.folded >= journal.dropped &&
      projections.folded < journal.position,
    settle: () => 'the rest of the journal is folded',
  },
  {
    finding: 'images were left in the staging area',
    when: ({ staged }) => staged > 0,
    remark: ({ staged }) => `${staged} images that were not finished were thrown away; their turns are in the journal`,
  },
];

/**
 * Walks a table. Throws `DataDirectoryError` at the first row that refuses; returns the remarks.
 */
export function decide<Facts>(rows: readonly RecoveryRow<Facts>[], facts: Facts): readonly string[] {
  const remarks: string[] = [];
  for (const row of rows) {
    if (!row.when(facts)) continue;
    if ('refuse' in row) throw new DataDirectoryError(row.refuse(facts));
    if ('remark' in row) remarks.push(row.remark(facts));
  }
  return remarks;
}

const STORES: readonly string[] = ['journal.db', 'node.db', 'images'];

function said(manifest: DirectoryFacts['manifest'], name: 'world' | 'node'): string {
  return manifest.kind === 'read' ? manifest.manifest[name] : '';
}
