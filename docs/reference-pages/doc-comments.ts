/**
 * The doc comments beside constants and fields of a source file, so that the reference says what the source says and
 * nothing is written twice.
 */
import { readFileSync } from 'node:fs';

/**
 * What a source file says: about its constants; about fields, by their path (`guest.items`); and about the fields of
 * its `...Shape` constants, which are spread into other objects, by their name alone.
 */
export interface DocComments {
  readonly constants: ReadonlyMap<string, string>;
  readonly fields: ReadonlyMap<string, string>;
  readonly shapeFields: ReadonlyMap<string, string>;
}

/** Reads a source file of the repository, by its path from the root. */
export function readDocComments(path: string): DocComments {
  return parseDocComments(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
}

/** The comments of a source text. A comment also holds for the fields of the same depth that follow its field directly. */
export function parseDocComments(text: string): DocComments {
  const constants = new Map<string, string>();
  const fields = new Map<string, string>();
  const shapeFields = new Map<string, string>();
  let parents: readonly { readonly indent: number; readonly name: string }[] = [];
  let isInShape = false;
  let comment = '';
  let commentIndent = -1;

  for (const line of withWholeComments(text)) {
    const [, indentation = '', isConstant, name] = DECLARATION.exec(line) ?? [];
    const words = DOC_COMMENT.exec(line)?.[1];
    const indent = indentation.length;
    if (words !== undefined) {
      comment = words.replace(/\s*\n\s*\*\s?/g, ' ').trim();
      commentIndent = line.search(/\S/);
    } else if (name === undefined || indent !== commentIndent) {
      comment = '';
    }
    if (name === undefined) continue;

    parents = parents.filter((parent) => parent.indent < indent);
    if (isConstant !== undefined) {
      isInShape = name.endsWith('Shape');
      if (comment !== '') constants.set(name, comment);
      comment = '';
      continue;
    }
    const path = [...parents.map((parent) => parent.name), name].join('.');
    const target = isInShape ? shapeFields : fields;
    if (comment !== '' && !target.has(path)) target.set(path, comment);
    parents = [...parents, { indent, name }];
  }
  return { constants, fields, shapeFields };
}

/** What is said about a field: at its own path, else by its name in a shape, else about what it is part of; empty if nothing is. */
export function fieldComment(comments: DocComments, path: string): string {
  const parts = path.split('.');
  const own = comments.fields.get(path) ?? comments.shapeFields.get(parts.at(-1) ?? '');
  if (own !== undefined || parts.length === 1) return own ?? '';
  return fieldComment(comments, parts.slice(0, -1).join('.'));
}

const DECLARATION = /^( *)(?:export )?(?:(const) )?([A-Za-z0-9_]+)(?: =|:)/;
const DOC_COMMENT = /^\s*\/\*\*([\s\S]*)\*\/$/;

/** The lines of a source, where a comment of several lines is one. */
function withWholeComments(text: string): readonly string[] {
  return text.match(/^ *\/\*\*[\s\S]*?\*\/$|^.*$/gm) ?? [];
}
