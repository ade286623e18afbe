/**
 * The mark of the images, `images/published.json`: no image has anything of a later position. It moves before an image does, so images
 * of today beside databases of yesterday are told at the start, and not after somebody has traded on them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Position, position } from '#shared/units.ts';
import { checksum } from './checksums.ts';
import type { ImageMark } from '../recovery/recovery.ts';
import { machineFiles, replaceFile } from './files.ts';

const NAME = 'published.json';

/** What the images of a data directory say of themselves. */
export function readMark(directory: string): ImageMark {
  const path = join(directory, 'images', NAME);
  if (!existsSync(path)) return { kind: 'missing' };
  return parseMark(readFileSync(path, 'utf8')) ?? { kind: 'damaged' };
}

/** Writes the mark, durably, in the place of the one that is there. */
export function writeMark(directory: string, instance: string, through: Position, files = machineFiles): void {
  replaceFile(files, join(directory, 'images'), NAME, `${JSON.stringify({ instance, through, sum: sumOf(instance, through) })}\n`);
}

function parseMark(text: string): ImageMark | undefined {
  try {
    const { instance, through, sum } = JSON.parse(text) as Partial<Record<'instance' | 'through' | 'sum', unknown>>;
    if (typeof instance !== 'string' || typeof through !== 'number' || sum !== sumOf(instance, position(through))) return undefined;
    return { kind: 'read', instance, through: position(through) };
  } catch {
    // No JSON, null, or no position.
    return undefined;
  }
}

function sumOf(instance: string, through: Position): number {
  return checksum(`${instance} ${through}`);
}
