/** The page about what a client is shown: the room's state, and the messages of the server. */
import { SERVER_MESSAGE_TYPES, serverMessages } from '#shared/protocol.ts';
import { code, table } from './markdown.ts';
import { shapeText, protocolShapes } from './protocol-page.ts';
import { stateClasses, type StateType } from './state-schemas.ts';

/** The page as Markdown. */
export function statePage(): string {
  return [
    '# Room state and server messages',
    'What the room `player` shows to its player. The state is sent whole to who joins, and then as differences (`room.onStateChange`). It holds what survives any crash and nothing else, and it is changed before the answer to the command that changed it. Maps have no order. A field that may be absent is `undefined` in JavaScript, and the default of its type in C#.',
    'The numbers in the first column are what is sent. `float64` keeps every whole number up to 2^53 - 1; no field has the type `number`, which not every SDK reads exactly. The classes for Unity: [client/unity](../../client/unity/README.md).',
    ...stateClasses().flatMap(({ name, fields }) => [
      `## ${name}`,
      table(
        ['No.', 'Field', 'Type', 'Always there', 'Meaning'],
        fields.map(({ index, name: field, type, isOptional, meaning }) => [
          String(index),
          code(field),
          typeText(type),
          isOptional ? 'no' : 'yes',
          meaning,
        ]),
      ),
    ]),
    '# Server messages',
    'Sent unasked, by `room.onMessage(type, ...)`, and only to who is there at that moment: whoever was away learns the same from the state. A message is sent after the state has changed. Its `id` is the same if it comes twice.',
    ...SERVER_MESSAGE_TYPES.flatMap((type) => [
      `## Message ${type}`,
      serverMessages[type].summary,
      'It carries:',
      shapeText(serverMessages[type].payload, protocolShapes(), 'protocol.md'),
    ]),
  ].join('\n\n');
}

function typeText(type: StateType): string {
  switch (type.kind) {
    case 'primitive':
      return code(type.name);
    case 'class':
      return `[${type.name}](#${type.name.toLowerCase()})`;
    case 'array':
    case 'map':
      return `${type.kind} of ${typeText(type.of)}`;
  }
}
