/**
 * The words that a search may use: those of the catalogue. A word that nobody knows is a mistake of
 * the one who asks, and is named; a search for it would look like an empty market.
 */
import type { Catalogue } from '#shared/catalog/catalogue.ts';
import { SORT_WORDS, STAT_WORDS, type Criteria, type Sort } from '#shared/criteria.ts';

/** What is wrong with the words of a search, or `undefined`. */
export type WordCheck = (criteria: Criteria, sort: Sort) => string | undefined;

/** The words of one kind, and what the kind is called. */
interface Words {
  readonly kind: string;
  readonly known: ReadonlySet<string>;
}

/** Only words that are so much alike are offered in the place of one that is unknown. */
const EDITS_MAX = 2;

/** The check against a catalogue. */
export function searchWordsOf({ itemClasses, slots, heroClasses, affixes }: Catalogue): WordCheck {
  const affixIds = affixes.map(({ id }) => id);
  const words = {
    itemClass: { kind: 'item class', known: new Set(itemClasses.map(({ id }) => id)) },
    slot: { kind: 'slot', known: new Set(slots) },
    heroClass: { kind: 'hero class', known: new Set(heroClasses) },
    stat: { kind: 'stat', known: new Set([...affixIds, ...STAT_WORDS]) },
    sort: { kind: 'sort key', known: new Set([...affixIds, ...SORT_WORDS]) },
  } as const satisfies Record<string, Words>;

  const faultOfNode = ({ itemClass, slot, heroClass, stats = [], any = [], none = [] }: Criteria, place: string): string | undefined => {
    const own = [
      { word: itemClass, of: words.itemClass, at: `${place}.itemClass` },
      { word: slot, of: words.slot, at: `${place}.slot` },
      { word: heroClass, of: words.heroClass, at: `${place}.heroClass` },
      ...stats.map(({ stat }, index) => ({ word: stat, of: words.stat, at: `${place}.stats[${index}].stat` })),
    ];
    for (const { word, of, at } of own) if (word !== undefined && !of.known.has(word)) return unknownWord(word, of, at);
    for (const [branches, name] of [[any, 'any'] as const, [none, 'none'] as const]) {
      for (const [index, node] of branches.entries()) {
        const fault = faultOfNode(node, `${place}.${name}[${index}]`);
        if (fault !== undefined) return fault;
      }
    }
    return undefined;
  };
  return (criteria, { by }) =>
    faultOfNode(criteria, 'criteria') ?? (words.sort.known.has(by) ? undefined : unknownWord(by, words.sort, 'sort.by'));
}

function unknownWord(word: string, { kind, known }: Words, place: string): string {
  const near = [...known].filter((each) => isNear(word, each)).slice(0, 3);
  const meant = near.length === 0 ? '' : `; did you mean ${near.map((each) => `"${each}"`).join(' or ')}?`;
  return `${place}: there is no ${kind} "${word}"${meant}`;
}

/**
 * Whether a word becomes another one by few edits (Levenshtein, a row at a time). Words that begin
 * and end differently are not tried.
 */
function isNear(word: string, other: string): boolean {
  if (Math.abs(word.length - other.length) > EDITS_MAX || (word[0] !== other[0] && word.at(-1) !== other.at(-1))) return false;
  let edits = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 0; row < word.length; row += 1) {
    const next = [row + 1];
    for (let column = 0; column < other.length; column += 1) {
      const [replaced = 0, removed = 0] = [edits[column], edits[column + 1]];
      next.push(Math.min(replaced + (word[row] === other[column] ? 0 : 1), removed + 1, (next[column] ?? 0) + 1));
    }
    edits = next;
  }
  return (edits.at(-1) ?? Infinity) <= EDITS_MAX;
}
