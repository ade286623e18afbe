/** Who the shard belongs to. */
import { boolean, defineEntity, text, timestamp, withDefault } from '#server/shard/entity.ts';

/** The player. One row. */
export const player = defineEntity('player', {
  version: 1,
  attributes: { name: text({ maxLength: 64 }), createdAt: timestamp(), frozen: withDefault(boolean(), false) },
});
