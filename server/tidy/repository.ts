/**
 * The repository as the tidy rules see it: every file by its path, the sources among them parsed.
 */
import { lineAt, readSource, type SourceFile } from './source-file.ts';

/**
 * Texts by path from the root of the repository. What is neither source, Markdown nor JSON may be
 * there with an empty text.
 */
export type Texts = Readonly<Record<string, string>>;

/** All files. */
export interface Repository {
  readonly texts: Texts;
  readonly sources: readonly SourceFile[];
}

/** A text of a file, or a part of one, that starts on a line. */
export interface Passage {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

/** What is wrong at one place of one file, as a sentence. */
export interface Fault {
  readonly path: string;
  readonly line: number;
  readonly problem: string;
}

/**
 * What breaks a rule and may, by `path word`, where the word is the first one of the fault's
 * problem; each with its reason.
 */
export type Exceptions = Readonly<Record<string, string>>;

/**
 * One rule, with its proof: files in which it must find a fault, and files in which it must find
 * none. Text alone is a file of the server.
 */
export interface TidyRule {
  readonly name: string;
  readonly exceptions?: Exceptions;
  readonly bad: string | Texts;
  readonly good: string | Texts;
  readonly find: (repository: Repository) => readonly Fault[];
}

/** The repository of these files. Throws on a source that cannot be parsed. */
export function repositoryOf(texts: Texts): Repository {
  const paths = Object.keys(texts).filter((path) => path.endsWith('.ts'));
  return { texts, sources: paths.map((path) => readSource(path, texts[path] ?? '')) };
}

/** Whether a file is a test, or is shared by tests in a folder called `testing`. */
export function isTestFile(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/');
}

/** A fault at each match of a pattern that has a problem. */
export function faultsIn(
  passages: readonly Passage[],
  pattern: RegExp,
  problemOf: (match: RegExpExecArray, passage: Passage) => string | undefined,
): readonly Fault[] {
  return passages.flatMap((passage) =>
    [...passage.text.matchAll(pattern)].flatMap((match) => {
      const problem = problemOf(match, passage);
      return problem === undefined ? [] : [{ path: passage.path, line: passage.line + lineAt(passage.text, match.index) - 1, problem }];
    }),
  );
}
