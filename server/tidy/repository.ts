/** The repository as the tidy rules see it: every file by its path, the sources among them parsed. */
import { readSource, type SourceFile } from './source-file.ts';

/** Texts by path from the root of the repository. What is neither source, Markdown nor JSON may be there with an empty text. */
export type Texts = Readonly<Record<string, string>>;

/** All files. */
export interface Repository {
  readonly texts: Texts;
  readonly sources: readonly SourceFile[];
}

/** What is wrong at one place of one file, as a sentence. */
export interface Fault {
  readonly path: string;
  readonly line: number;
  readonly problem: string;
}

/** One rule, with its proof: files in which it must find a fault, and files in which it must find none. Text alone is a file of the server. */
export interface TidyRule {
  readonly name: string;
  readonly bad: string | Texts;
  readonly good: string | Texts;
  readonly find: (repository: Repository) => readonly Fault[];
}

/** The repository of these files. Throws on a source that cannot be parsed. */
export function repositoryOf(texts: Texts): Repository {
  const paths = Object.keys(texts).filter((path) => path.endsWith('.ts'));
  return { texts, sources: paths.map((path) => readSource(path, texts[path] ?? '')) };
}

/** The repository of a rule's example. */
export function exampleOf(example: string | Texts): Repository {
  return repositoryOf(typeof example === 'string' ? { 'server/shard/example.ts': example } : example);
}

/** Whether a file is a test, or is shared by tests in a folder called `testing`. */
export function isTestFile(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/');
}
