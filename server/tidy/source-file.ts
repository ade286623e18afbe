/**
 * A source file as the tidy rules read it: its syntax tree, its comments, and what it imports and
 * exports. The parser is oxc's, of the family of the linter: the type checker of this repository
 * has no programming interface.
 */
import { parseSync, Visitor, type Program } from 'oxc-parser';

/**
 * One comment: the line that it starts on (from 1), the line that it ends on, and its text with its
 * marks.
 */
export interface Comment {
  readonly line: number;
  readonly lastLine: number;
  readonly text: string;
}

/**
 * One import: a module and the names taken from it; `*` for a namespace, a module loaded at run
 * time, or a worker's file.
 */
export interface Import {
  readonly line: number;
  readonly specifier: string;
  readonly names: readonly string[];
}

/**
 * One name that a file exports. `isDeclared` unless it is passed on from elsewhere, or declared
 * apart from its export.
 */
export interface Export {
  readonly line: number;
  readonly name: string;
  readonly kind: 'class' | 'type' | 'value';
  readonly isDeclared: boolean;
}

/** One source file. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
}

/** Parses a source file. Throws on a syntax error. */
export function readSource(path: string, text: string): SourceFile {
  const { program, module, comments, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  const exported = module.staticExports.flatMap(({ entries }) => entries);
  const nameOf = ({ kind, name }: { readonly kind: string; readonly name: string | null }): string =>
    name ?? (kind === 'Default' ? 'default' : '*');
  const imported = [
    ...module.staticImports.map(({ entries, ...each }) => ({ ...each, names: entries.map(({ importName }) => nameOf(importName)) })),
    ...exported.map(({ importName, ...each }) => ({ ...each, names: [nameOf(importName)] })),
  ];
  return {
    path,
    text,
    program,
    comments: comments.map(({ start, end }) => ({ line: lineAt(text, start), lastLine: lineAt(text, end), text: text.slice(start, end) })),
    imports: [
      ...imported.flatMap(({ start, moduleRequest, names }) =>
        moduleRequest === null ? [] : [{ line: lineAt(text, start), specifier: moduleRequest.value, names }],
      ),
      ...importsAtRunTime(program, text),
    ],
    exports: exported.flatMap(({ start, exportName, moduleRequest, isType }): readonly Export[] => {
      if (exportName.name === null) return [];
      // The entry of a declaration starts right after `export`, one within braces at its name.
      const isDeclared = moduleRequest === null && start !== exportName.start;
      const isClass = /^(?:abstract )?class /.test(text.slice(start));
      return [{ line: lineAt(text, start), name: exportName.name, kind: isType ? 'type' : isClass ? 'class' : 'value', isDeclared }];
    }),
  };
}

/** The line, from 1, of a position in a text. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

/**
 * `import('...')`, as a value or as a type, and `new URL('....ts', ...)`, which names the file of a
 * worker.
 */
function importsAtRunTime(program: Program, text: string): readonly Import[] {
  const found: Import[] = [];
  const add = (start: number, specifier: unknown): void => {
    if (typeof specifier === 'string') found.push({ line: lineAt(text, start), specifier, names: ['*'] });
  };
  new Visitor({
    ImportExpression: ({ start, source }) => add(start, source.type === 'Literal' ? source.value : undefined),
    TSImportType: ({ start, source }) => add(start, source.value),
    NewExpression: ({ start, callee, arguments: [first] }) => {
      const isUrl = callee.type === 'Identifier' && callee.name === 'URL' && first?.type === 'Literal';
      if (isUrl && typeof first.value === 'string' && first.value.endsWith('.ts')) add(start, first.value);
    },
  }).visit(program);
  return found;
}
