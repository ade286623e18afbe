/**
 * The page about commands: each with what it carries and what it is answered, and every shape that
 * they name.
 */
import { readdirSync } from 'node:fs';
import type { z } from 'zod';
import * as criteria from '#shared/criteria.ts';
import * as item from '#shared/item.ts';
import { limits } from '#shared/limits.ts';
import * as protocol from '#shared/protocol.ts';
import { composed, type CommandSchema } from '#shared/protocol/part.ts';
import { PROTOCOL_PARTS } from '#shared/protocol/parts.ts';
import * as rules from '#shared/rules.ts';
import * as schemas from '#shared/schemas.ts';
import { fieldComment, readDocComments } from './doc-comments.ts';
import { code, table } from './markdown.ts';
import { demandsOf, fieldsOf, namedSchemas, scalarText, typeNameOf, type NamedSchemas } from './schema-text.ts';

const PARTS = 'shared/protocol/';
const PART_SOURCES = readdirSync(new URL(`../../${PARTS}`, import.meta.url)).map((name) => `${PARTS}${name}`);
const SOURCES = ['shared/schemas.ts', 'shared/item.ts', 'shared/criteria.ts', 'shared/protocol.ts', ...PART_SOURCES];

/** Every shape that has a name. */
export function protocolShapes(): NamedSchemas {
  return namedSchemas(schemas, item, criteria, protocol, composed(PROTOCOL_PARTS, 'shapes'), { rulesSchema: rules.rulesSchema });
}

/** The page as Markdown. */
export function protocolPage(): string {
  const named = protocolShapes();
  const commandTypes = protocol.COMMAND_TYPES.toSorted();
  return [
    '# Protocol',
    'What a player is shown, the [state of the room](state.md) and the messages of the server, has a page of its own, and so have the [codes with which a connection is closed](close-codes.md).',
    'Commands of the room `player`, sent by `room.request(type, payload)`. A command that changes something carries `op`: the same `op` again gives the same answer. What changed nothing is not remembered: it is looked at anew. Instead of its answer any command may get a [Refusal](refusals.md). Unknown fields are refused. Amounts are whole coins, instants are milliseconds since the epoch.',
    table(
      ['Command', 'What it does', 'Changes something', 'Cost'],
      commandTypes.map((type) => [
        `[${type}](#command-${type.toLowerCase()})`,
        protocol.commands[type].summary,
        protocol.commands[type].changes ? 'yes' : 'no',
        costOf(protocol.commands[type]),
      ]),
    ),
    `The cost is in tokens. A player, over all connections together, has ${limits.playerTokensBurst} of them, and ${limits.playerTokensPerSecond} more each second; so has an address for all of its players, as the operator sets it. Whoever has a token left is served; what costs more than there is makes a debt that has to be paid first. Until then commands are \`rate-limited\`, with \`details\` \`{cost, retryAfterMs}\` (over HTTP: 429 with \`Retry-After\`). A search costs more when it is done: a token for each ${limits.searchListingsPerToken} listings of its answer, and one for each ${limits.searchUnitsPerToken} that the index has looked at, rows times the conditions that looked at them. One search of a player is under way at a time, ${limits.searchesWaitingMax} more wait; of all players of an address ${limits.searchesPerAddressMax} are. A session costs ${limits.sessionTokens}; a player has at most ${limits.connectionsPerPlayerMax} connections, the next is \`busy\`.`,
    ...commandTypes.flatMap((type) => commandSection(type, named)),
    '## POST /session',
    'Opens a session; plain HTTP with JSON in both directions.',
    'It carries:',
    shapeText(protocol.sessionRequestSchema, named),
    'It is answered:',
    shapeText(protocol.sessionAnswerSchema, named),
    '## Shapes',
    ...shapeSections(named),
  ].join('\n\n');
}

function costOf({ cost, isMetered }: CommandSchema): string {
  return isMetered === true ? `${cost} and more` : String(cost);
}

function commandSection(type: protocol.CommandType, named: NamedSchemas): readonly string[] {
  const { summary, request, answer } = protocol.commands[type];
  return [`## Command ${type}`, summary, 'It carries:', shapeText(request, named), 'It is answered:', shapeText(answer, named)];
}

/** Shapes that have a section of their own already. */
const ELSEWHERE = new Set(['SessionRequest', 'SessionAnswer', 'Rules']);

function shapeSections(named: NamedSchemas): readonly string[] {
  const comments = new Map(SOURCES.flatMap((path) => [...readDocComments(path)]).map(([name, text]) => [typeNameOf(name), text]));
  return [...named.byName.entries()]
    .filter(([name]) => !ELSEWHERE.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, schema]) => [`### ${name}`, comments.get(name) ?? '', shapeText(schema, named)]);
}

/** A shape as a table of its fields. `page` is where the named shapes are, if on another page. */
export function shapeText(schema: z.ZodType, named: NamedSchemas, page = ''): string {
  if (schema === rules.rulesSchema) return 'The [rules](rules.md) in force, as an object.';
  const fields = fieldsOf(schema, named)?.map((field) => ({ ...field, type: field.type.replaceAll('](#', `](${page}#`) }));
  if (fields === undefined) return `Form: ${scalarText(schema, named)}.`;
  if (fields.length === 0) return 'Nothing: an empty object.';
  const criteriaComments = readDocComments('shared/criteria.ts');
  const isCriteria = schema === criteria.criteriaSchema;
  const rows = fields.map(({ name, type, isRequired }) => [
    code(name),
    type,
    isRequired ? 'yes' : 'no',
    ...(isCriteria ? [fieldComment(criteriaComments, name)] : []),
  ]);
  const demands = demandsOf(schema).map((demand) => `It ${demand}.`);
  return [table(['Field', 'Type', 'Required', ...(isCriteria ? ['Meaning'] : [])], rows), ...demands].join('\n\n');
}
