import { describe, expect, it } from '@jest/globals';
import { CloseCode } from '@colyseus/core';
import { z } from 'zod';
import { COMMAND_TYPES, SERVER_MESSAGE_TYPES } from '#shared/protocol.ts';
import { CLOSE_CODES } from '#shared/close-codes.ts';
import { closeCodesPage } from './reference-pages/close-codes-page.ts';
import { fieldComment, parseDocComments } from './reference-pages/doc-comments.ts';
import { cataloguePage } from './reference-pages/format-pages.ts';
import { table, withUnit } from './reference-pages/markdown.ts';
import { protocolPage } from './reference-pages/protocol-page.ts';
import { demandsOf, fieldsOf, namedSchemas, scalarText } from './reference-pages/schema-text.ts';
import { statePage } from './reference-pages/state-page.ts';
import { stateClasses } from './reference-pages/state-schemas.ts';
import { configurationPage, limitsPage, refusalsPage, rulesPage } from './reference-pages/value-pages.ts';

describe('the reference', () => {
  it('has a section for each command', () => {
    for (const type of COMMAND_TYPES) expect(protocolPage()).toContain(`\n## Command ${type}\n`);
  });

  it.each([
    ['protocol', protocolPage],
    ['state', statePage],
    ['catalogue', cataloguePage],
  ])('links within the page %s only to sections that it has', (_, make) => {
    const page = make();
    const sections = new Set([...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(' ', '-')));
    for (const [, target] of page.matchAll(/\]\(#([^)]*)\)/g)) expect(sections).toContain(target);
  });

  it('says something about every limit, rule, field and code', () => {
    const pages = [
      configurationPage(),
      limitsPage(),
      rulesPage(),
      refusalsPage(),
      statePage().split('# Server messages')[0],
      cataloguePage(),
    ];
    for (const page of [...pages, closeCodesPage()]) expect(page).not.toMatch(/\| +\|/);
  });

  it('has every field of the state and every message, linked to shapes that exist', () => {
    for (const { name, fields } of stateClasses()) {
      expect(statePage()).toContain(`\n## ${name}\n`);
      for (const field of fields) expect(statePage()).toContain(`| \`${field.name}\` |`);
    }
    for (const type of SERVER_MESSAGE_TYPES) expect(statePage()).toContain(`\n## Message ${type}\n`);
    const shapes = new Set([...protocolPage().matchAll(/^### (.*)$/gm)].map(([, title = '']) => title.toLowerCase()));
    for (const [, target] of statePage().matchAll(/\]\(protocol\.md#([^)]*)\)/g)) expect(shapes).toContain(target);
  });

  it('has every code with which Colyseus closes, and ours, once', () => {
    const codes = [...closeCodesPage().matchAll(/^\| (\d{4}) \|/gm)].map(([, code]) => Number(code));
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes).toEqual(expect.arrayContaining([...Object.values(CloseCode), ...Object.values(CLOSE_CODES)]));
  });
});

describe('schemas as text', () => {
  const gold = z.int().min(0).transform(Number);
  const named = namedSchemas({ goldSchema: gold });

  it.each([
    ['integers', z.int().min(1).max(10_000), 'integer, 1 to 10,000'],
    ['integers without bounds', z.int(), 'integer'],
    ['texts', z.string().min(1).max(9), 'text, 1 to 9 characters'],
    ['words of a set', z.enum(['a', 'b']), '`a`, `b`'],
    ['lists of named shapes', z.array(gold).max(3), 'list of [Gold](#gold), at most 3'],
    ['alternatives', z.union([z.boolean(), gold]), 'boolean or [Gold](#gold)'],
    ['objects inside of others', z.array(z.strictObject({ a: gold.exactOptional() })), 'list of { `a?`: [Gold](#gold) }'],
    ['anything', z.record(z.string(), z.unknown()), 'map of names to anything'],
  ])('describe %s', (_, schema, text) => {
    expect(scalarText(schema, named)).toBe(text);
  });

  it('tell which fields are required, and what else is demanded', () => {
    const schema = z.strictObject({ price: gold, until: z.int().exactOptional() }).refine(() => true, 'must be fair');
    expect(fieldsOf(schema, named)).toEqual([
      { name: 'price', type: '[Gold](#gold)', isRequired: true },
      { name: 'until', type: 'integer', isRequired: false },
    ]);
    expect(demandsOf(schema)).toEqual(['must be fair']);
  });
});

describe('comments of a source', () => {
  const comments = parseDocComments(`
const priceShape = {
  /** What it costs. */
  price: z.int(),
};
/** The rules,
 * all of them. */
export const rules = z.object({
  /** From. */
  from: 1,
  to: 2,

  plain: 3,
  /** What guests get. */
  guest: z.object({
    gold: 4,
  }),
});
`);

  it('belong to the constant or the fields that follow', () => {
    expect([...comments.keys()].filter((name) => !name.includes('.'))).toEqual(['rules']);
    expect(comments.get('rules')).toBe('The rules, all of them.');
    expect(['from', 'to', 'plain'].map((field) => fieldComment(comments, field))).toEqual(['From.', '', '']);
  });

  it('are looked for in the path, then in shapes, then in what the field is part of', () => {
    expect(fieldComment(comments, 'guest.price')).toBe('What it costs.');
    expect(fieldComment(comments, 'guest.gold')).toBe('What guests get.');
  });
});

describe('values as text', () => {
  it.each([
    ['offerWindowMs', 10_000, '10 s'],
    ['pauseMs', 1_500, '1,500 ms'],
    ['shardBytesMax', 1_048_576, '1 MiB'],
    ['feeBasisPoints', 1_500, '15 %'],
    ['startDelayMs', 0, '0'],
    ['slots', 1_000_000, '1,000,000'],
  ])('%s of %d', (name, value, text) => {
    expect(withUnit(name, value)).toBe(text);
  });

  it('keep bars in cells from ending them', () => {
    expect(table(['a'], [['b|c']])).toBe('| a |\n| --- |\n| b\\|c |');
  });
});
