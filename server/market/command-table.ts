/** Which feature carries out which command of the protocol: each exactly one. */
import { COMMAND_TYPES, isChangingCommand, type ReadingCommandType } from '#shared/protocol.ts';
import type { Feature, Read } from './feature.ts';

/** A read for each command that changes nothing. */
export type ReadTable = { readonly [Type in ReadingCommandType]: Read<Type> };

/**
 * The reads of all features. Throws `Error` unless each command of the protocol has exactly one
 * feature: with a read if it changes nothing, else with a handler.
 */
export function readTableOf(features: readonly Feature[]): ReadTable {
  for (const type of COMMAND_TYPES) {
    const able = features.filter(({ reads = {}, handlers = {} }) => Object.hasOwn(isChangingCommand(type) ? handlers : reads, type));
    if (able.length !== 1) throw new Error(`the command ${type} is of ${able.length} features: ${able.map(({ name }) => name).join(', ')}`);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It was just found to be complete.
  return Object.assign({}, ...features.map(({ reads }) => reads)) as ReadTable;
}
