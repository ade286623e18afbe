/** A shard in memory, or on its way there, with the messages that wait for it. Owned by its cell. */
import type { ShardId } from '#shared/units.ts';
import type { ChangeSet, ShardHeader } from '#server/shard/change-set.ts';
import type { AnyRow } from '#server/shard/entity.ts';
import type { Message, Reply } from '#server/shard/message.ts';
import type { Shard } from '#server/shard/shard.ts';

/** What a subscriber of one shard hears, in order and only when durable: first how it stands, then each change. */
export type ShardNews =
  | { readonly kind: 'snapshot'; readonly header: ShardHeader; readonly rows: (entity: string) => readonly AnyRow[] }
  | { readonly kind: 'change'; readonly changes: ChangeSet };

/** Hears the news of one shard. */
export type ShardListener = (news: ShardNews) => void;

/** Takes the final word to a command. */
export type Answering = (reply: Reply) => void;

/** A message in the inbox. */
export type Waiting =
  | { readonly kind: 'message'; readonly message: Message; readonly creates: boolean; readonly answering: Answering | undefined }
  | { readonly kind: 'subscribe'; readonly listener: ShardListener; readonly answering: Answering }
  | { readonly kind: 'wake' };

/** Where a resident stands: it loads, or it has its shard. */
export type Residence = { readonly kind: 'loading' } | { readonly kind: 'loaded'; readonly shard: Shard };

/** See the head of this file. Plain data; the cell does everything. */
export interface Resident {
  readonly id: ShardId;
  residence: Residence;
  readonly inbox: Waiting[];
  /** Who waits for an operation under way, by the operation's row. */
  readonly answeringByOperation: Map<number, Answering[]>;
  readonly listeners: Set<ShardListener>;
  /** The journal position of its last change. */
  position: number;
  /** What it was last counted with against the memory budget. */
  memoryBytes: number;
  /** For which time it is on the wake list; 0 for none. */
  wakeListedAt: number;
  /** Whether it was used since the eviction hand last came by. */
  isUsed: boolean;
}

/** A resident that has yet to load. */
export function newResident(id: ShardId): Resident {
  return {
    id,
    residence: { kind: 'loading' },
    inbox: [],
    answeringByOperation: new Map(),
    listeners: new Set(),
    position: 0,
    memoryBytes: 0,
    wakeListedAt: 0,
    isUsed: true,
  };
}
