/**
 * A file system that does what it is told and keeps book of what a power cut would leave: for tests
 * of the order of writes, syncs and renames, which no kill can show.
 *
 * 1. A file is as durable as its content was at its last sync.
 * 2. A name is durable after its directory was synced; so is a rename, and so are the names of all
 *    directories above it.
 * 3. The book outlives those who write: what a life before this one has not synced is seen, and not
 *    durable.
 */
import { dirname } from 'node:path';
import { machineFiles, type Files, type OpenFile } from '../disk/files.ts';

/**
 * What is to become of a call: it is done, or, if it is a sync, only pretended; or the process ends
 * before it.
 */
export type Ruling = 'do' | 'pretend' | 'die';

/** Decides about each call of a life, `verb path`; its index counts from 0. */
export type Rule = (call: string, index: number, files: RecordedFiles) => Ruling;

/** The process ended here. */
export class Death extends Error {
  override readonly name = 'Death';
}

/** The recorder. */
/** The files of one machine, through all lives of the programs that use them. */
export class RecordedFiles implements Files {
  /** Every call of this life, as `verb path`, in order. */
  readonly calls: string[] = [];
  /** What was done too early, in words. */
  readonly faults = new Set<string>();
  #rule: Rule;
  readonly #pathByFile = new Map<OpenFile, string>();
  readonly #unsyncedFiles = new Set<string>();
  /** Names that a power cut may take away, or, after a rename, lead to the file of before. */
  readonly #pendingNames = new Set<string>();
  readonly #inPlace = new Set<string>();

  constructor(rule: Rule) {
    this.#rule = rule;
  }

  /** Another process uses the same files from now on, under another rule. */
  nextLife(rule: Rule): void {
    this.#rule = rule;
    this.calls.length = 0;
    this.#pathByFile.clear();
  }

  /** Something is about to be done that takes these files and directories for durable. */
  rely(what: string, paths: readonly string[]): void {
    for (const path of paths) {
      const problem = this.#problem(path);
      if (problem !== undefined) this.faults.add(`${what}, and ${problem}`);
    }
  }

  write(path: string, bytes: Uint8Array): OpenFile {
    this.#call(`write ${path}`);
    if (this.#inPlace.has(path)) this.faults.add(`${path} is written where readers find it`);
    const file = machineFiles.write(path, bytes);
    this.#pathByFile.set(file, path);
    this.#unsyncedFiles.add(path);
    this.#pendingNames.add(path);
    return file;
  }

  sync(file: OpenFile): void {
    this.#synced(file);
    machineFiles.sync(file);
  }

  syncSoon(file: OpenFile): Promise<void> {
    this.#synced(file);
    return machineFiles.syncSoon(file);
  }

  rename(from: string, to: string): void {
    this.#call(`rename ${to}`);
    if (this.#unsyncedFiles.has(from)) this.faults.add(`${from} is renamed before it is synced`);
    machineFiles.rename(from, to);
    if (this.#unsyncedFiles.delete(from)) this.#unsyncedFiles.add(to);
    this.#pendingNames.delete(from);
    this.#pendingNames.add(to);
    this.#inPlace.add(to);
  }

  makeDirectory(path: string): string | undefined {
    this.#call(`make ${path}`);
    const topmost = machineFiles.makeDirectory(path);
    if (topmost !== undefined) {
      for (let made = path; made.length >= topmost.length; made = dirname(made)) this.#pendingNames.add(made);
    }
    return topmost;
  }

  syncDirectory(path: string): void {
    this.#directorySynced(path);
    machineFiles.syncDirectory(path);
  }

  syncDirectorySoon(path: string): Promise<void> {
    this.#directorySynced(path);
    return machineFiles.syncDirectorySoon(path);
  }

  remove(path: string): void {
    this.#call(`remove ${path}`);
    machineFiles.remove(path);
    this.#unsyncedFiles.delete(path);
    this.#pendingNames.delete(path);
  }

  #synced(file: OpenFile): void {
    const path = this.#pathByFile.get(file) ?? `file ${file}`;
    if (this.#call(`sync ${path}`) === 'do') this.#unsyncedFiles.delete(path);
    this.#pathByFile.delete(file);
  }

  #directorySynced(path: string): void {
    if (this.#call(`sync-directory ${path}`) === 'pretend') return;
    for (const name of this.#pendingNames) if (dirname(name) === path) this.#pendingNames.delete(name);
  }

  #call(call: string): Ruling {
    const ruling = this.#rule(call, this.calls.length, this);
    this.calls.push(call);
    if (ruling === 'die') throw new Death(`before: ${call}`);
    return ruling;
  }

  #problem(path: string): string | undefined {
    if (this.#unsyncedFiles.has(path)) return `the content of ${path} is not synced`;
    for (let name = path; name !== dirname(name); name = dirname(name)) {
      if (this.#pendingNames.has(name)) return `the name ${name} is not synced`;
    }
    return undefined;
  }
}
