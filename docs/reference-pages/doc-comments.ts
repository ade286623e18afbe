/**
 * The doc comments beside constants and fields of a source file, so that the reference says what
 * the source says and nothing is written twice.
 */
import { Visitor } from 'oxc-parser';
import { readFileSync } from 'node:fs';
import { lineAt, readSource } from '#server/tidy/source-file.ts';

/**
 * What a source file says: about a constant, by its name; about a field, by its path after a dot
 * (`.guest.items`) and after its constant (`rulesSchema.guest.items`); and about a field of a
 * `...Shape` constant, which is spread into other objects, by its path after a star (`*.price`).
 */
export type DocComments = ReadonlyMap<string, string>;

/** Reads a source file of the repository, by its path from the root. */
export function readDocComments(path: string): DocComments {
  return parseDocComments(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
}

/**
 * The comments of a source text: each belongs to the constant or field that starts on the line
 * after it.
 */
export function parseDocComments(text: string): DocComments {
  const { comments, program } = readSource('source.ts', text);
  const docs = new Map(comments.filter((each) => each.text.startsWith('/**')).map(({ lastLine, text }) => [lastLine + 1, wordsOf(text)]));
  const found = new Map<string, string>();
  const path = [''];
  let constant = '';
  const add = (start: number, ...names: readonly string[]): void => {
    const words = docs.get(lineAt(text, start));
    if (words !== undefined) for (const name of names) found.set(name, words);
  };
  new Visitor({
    VariableDeclarator: ({ id, start }) => {
      if (path.length > 1 || id.type !== 'Identifier') return;
      path[0] = id.name.endsWith('Shape') ? '*' : '';
      constant = id.name;
      add(start, constant);
    },
    Property: ({ key, start }) => {
      path.push(key.type === 'Identifier' ? key.name : '');
      add(start, path.join('.'), [constant, ...path.slice(1)].join('.'));
    },
    'Property:exit': () => void path.pop(),
  }).visit(program);
  return found;
}

function wordsOf(comment: string): string {
  return comment
    .slice(3, -2)
    .replaceAll(/\s*\n\s*\*\s?/g, ' ')
    .trim();
}

/**
 * What is said about a field: at its own path, else by its name in a shape, else about what it is
 * part of; empty if nothing is.
 */
export function fieldComment(comments: DocComments, path: string): string {
  const parts = path.split('.');
  const own = comments.get(`.${path}`) ?? comments.get(`*.${parts.at(-1) ?? ''}`);
  if (own !== undefined || parts.length === 1) return own ?? '';
  return fieldComment(comments, parts.slice(0, -1).join('.'));
}
