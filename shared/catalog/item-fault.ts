/** Whether an item from outside is one of this world. */
import type { Item } from '../item.ts';
import type { Catalogue } from './catalogue.ts';

/** An item of this world, but for its id. */
type Described = Pick<Item, 'baseId' | 'itemClass' | 'level' | 'affixes'>;

/**
 * The question what is wrong with an item, in one clause; `undefined` if nothing is. Its base must be known and of its
 * class, bound or not, its level one of the catalogue's, and each of its affixes one that its class can have, once.
 * How many affixes it has and how good they are is the game's own affair.
 */
export function itemFaults(catalogue: Catalogue): (item: Described) => string | undefined {
  const classByBase = new Map(catalogue.baseItems.map((base) => [base.id, base.itemClass]));
  const kindById = new Map(catalogue.affixes.map((kind) => [kind.id, kind]));
  return ({ baseId, itemClass, level, affixes }) => {
    const known = classByBase.get(baseId);
    if (known === undefined) return `there is no base item ${baseId}`;
    if (known !== itemClass) return `${baseId} is of the class ${known}, not ${itemClass}`;
    if (level > catalogue.levelMax) return `no item has a level above ${catalogue.levelMax}`;
    const seen = new Set<string>();
    for (const { id } of affixes) {
      if (seen.has(id)) return `the affix ${id} is on it twice`;
      seen.add(id);
      const kind = kindById.get(id);
      if (kind === undefined) return `there is no affix ${id}`;
      if (!kind.itemClasses.includes(itemClass)) return `the affix ${id} cannot be on the class ${itemClass}`;
    }
    return undefined;
  };
}
