/** The form of the files that an operator may bring: a table of fields for each object in them. */
import * as catalogue from '#shared/catalog/catalogue.ts';
import * as item from '#shared/item.ts';
import * as schemas from '#shared/schemas.ts';
import { readDocComments } from './doc-comments.ts';
import { code, table } from './markdown.ts';
import { fieldsOf, namedSchemas, scalarText, typeNameOf } from './schema-text.ts';

/** The objects of a catalogue, by the names under which the catalogue's source exports them. */
const CATALOGUE_OBJECTS = {
  catalogueSchema: catalogue.catalogueSchema,
  itemClassSchema: catalogue.itemClassSchema,
  growthSchema: catalogue.growthSchema,
  baseItemSchema: catalogue.baseItemSchema,
  affixKindSchema: catalogue.affixKindSchema,
  rarityRulesSchema: catalogue.rarityRulesSchema,
  commoditySchema: catalogue.commoditySchema,
};

/** The catalogue's file, as Markdown. */
export function cataloguePage(): string {
  const named = namedSchemas(CATALOGUE_OBJECTS, { catalogWordSchema: schemas.catalogWordSchema });
  const comments = readDocComments('shared/catalog/catalogue.ts');
  return [
    '# Catalogue',
    `What exists in a world that can be owned: \`--catalog FILE\`, a JSON file of this form; built in unless given. \`npm start -s -- --print-catalog\` prints the one in force, as a file that \`--catalog\` takes: the quickest way to one of your own. It is read at the start. Unknown fields are refused, and so is what does not fit together; the start then ends with one sentence that names the place.`,
    `A catalogue changes with the game, and items outlive it: an item whose base or affix it no longer has stays as it is, and can only not be put up for sale. The five rarities are fixed: ${item.RARITIES.map(code).join(', ')}. Loot that is rolled from it is what guests of a development world start with; items that game servers give need only its words.`,
    `A word is ${scalarText(schemas.catalogWordSchema, namedSchemas())}. Where a name is put together and would be longer than 64 characters, the last part is left out.`,
    ...Object.entries(CATALOGUE_OBJECTS).flatMap(([exported, schema]) => [
      `## ${typeNameOf(exported)}`,
      schema === catalogue.catalogueSchema ? 'The file itself.' : (comments.get(exported) ?? ''),
      table(
        ['Field', 'Type', 'Required', 'Meaning'],
        (fieldsOf(schema, named) ?? []).map(({ name, type, isRequired }) => [
          code(name),
          type.replaceAll('[CatalogWord](#catalogword)', 'word'),
          isRequired ? 'yes' : 'no',
          comments.get(`${exported}.${name}`) ?? '',
        ]),
      ),
    ]),
  ].join('\n\n');
}
