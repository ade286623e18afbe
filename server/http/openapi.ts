/** The OpenAPI 3.1 document of the table of operations. */
import { z } from 'zod';
import { refusalSchema } from '#shared/protocol.ts';
import { refusal, type RefusalName } from '#shared/refusals.ts';
import { OPERATIONS, type Operation } from './operations.ts';
import { httpStatusOf } from './public-refusal.ts';

/** What a client reads of a status that refuses. */
type Failure = readonly [status: number, text: string];

/** Why a body cannot be used. */
const BODY_FAILURES: readonly RefusalName[] = ['too-large', 'not-json', 'bad-request'];

/** The version of the HTTP interface: it changes when a client has to. */
const INTERFACE_VERSION = '1';

/** The document as plain data, ready for JSON, which leaves out what is `undefined` in it. */
export function openApiDocument(): object {
  const operations: readonly Operation[] = Object.values(OPERATIONS);
  return {
    openapi: '3.1.1',
    info: { title: 'Gavel', version: INTERFACE_VERSION },
    paths: Object.fromEntries(operations.map((operation) => [operation.path, { [operation.method]: operationObject(operation) }])),
    components: {
      schemas: { Refusal: jsonSchema(refusalSchema, 'output') },
      securitySchemes: {
        serviceKey: { type: 'http', scheme: 'bearer', description: 'A service key; its rights are named with each operation.' },
      },
    },
  };
}

function operationObject({ summary, parameters = {}, query = {}, right, body, answers, refusals }: Operation): object {
  const malformed: readonly RefusalName[] = body !== undefined ? BODY_FAILURES : Object.keys(query).length > 0 ? ['bad-request'] : [];
  const failures = Map.groupBy([...refusals, 'internal' as const, ...malformed].map(failureOf), ([status]) => status);
  return {
    summary,
    ...(right === undefined ? {} : { description: `The service key needs the right \`${right}\`.`, security: [{ serviceKey: [] }] }),
    parameters: [
      ...Object.entries(parameters).map(([name, schema]) => parameterObject(name, 'path', schema)),
      ...Object.entries(query).map(([name, schema]) => parameterObject(name, 'query', schema)),
    ],
    requestBody: body && { required: true, ...content(jsonSchema(body, 'input')) },
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, schema]) => [
          status,
          { description: 'The answer.', ...content(jsonSchema(schema, 'output')) },
        ]),
      ),
      ...Object.fromEntries([...failures].map(([status, group]) => [status, failureObject(group)])),
    },
  };
}

function parameterObject(name: string, place: 'path' | 'query', schema: z.ZodType): object {
  return { name, in: place, required: true, schema: jsonSchema(schema, 'input') };
}

function failureOf(name: RefusalName): Failure {
  const refused = refusal(name);
  return [httpStatusOf(refused), `\`${name}\`: ${refused.message}`];
}

function failureObject(failures: readonly Failure[]): object {
  return { description: failures.map(([, text]) => text).join(' '), ...content({ $ref: '#/components/schemas/Refusal' }) };
}

function content(schema: object): object {
  return { content: { 'application/json': { schema } } };
}

/** A body is described as a client writes it, an answer as the server gives it. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
