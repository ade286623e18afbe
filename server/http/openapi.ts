/** The OpenAPI 3.1 document of a list of operations. Pure: the same list gives the same document. */
import { z } from 'zod';
import { refusalSchema } from '#shared/protocol.ts';
import { refusal, type RefusalName } from '#shared/refusals.ts';
import type { Operation } from './operation.ts';
import { httpStatusOf } from './public-refusal.ts';

/** The statuses of a body that cannot be used, beside 400: too large, and not JSON. */
const BODY_STATUSES: Readonly<Record<number, string>> = {
  413: 'The body is too large.',
  415: 'The body is not `application/json`.',
};

/** The version of the HTTP interface: it changes when a client has to. */
const INTERFACE_VERSION = '1';

/** The document as plain data, ready for JSON. */
export function openApiDocument(operations: readonly Operation[]): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) paths[operation.path] = { ...paths[operation.path], [operation.method]: operationObject(operation) };
  return {
    openapi: '3.1.1',
    info: { title: 'Gavel', version: INTERFACE_VERSION },
    paths,
    components: { schemas: { Refusal: jsonSchema(refusalSchema, 'output') } },
  };
}

function operationObject({ summary, parameters = {}, body, answers, refusals }: Operation): object {
  const named = Object.entries(parameters);
  return {
    summary,
    ...(named.length === 0 ? {} : { parameters: named.map(([name, schema]) => parameterObject(name, schema)) }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(jsonSchema(body, 'input')) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, schema]) => [status, response('The answer.', jsonSchema(schema, 'output'))]),
      ),
      ...refusalResponses(
        [...refusals, 'internal', ...(body === undefined ? [] : (['bad-request'] as const))],
        body === undefined ? {} : BODY_STATUSES,
      ),
    },
  };
}

function parameterObject(name: string, schema: z.ZodType): object {
  return { name, in: 'path', required: true, schema: jsonSchema(schema, 'input') };
}

function refusalResponses(names: readonly RefusalName[], texts: Readonly<Record<number, string>>): object {
  const textByStatus: Record<number, string> = { ...texts };
  for (const name of names) {
    const refused = refusal(name);
    const status = httpStatusOf(refused);
    textByStatus[status] = `${textByStatus[status] === undefined ? '' : `${textByStatus[status]} `}\`${name}\`: ${refused.message}`;
  }
  const schema = { $ref: '#/components/schemas/Refusal' };
  return Object.fromEntries(Object.entries(textByStatus).map(([status, text]) => [status, response(text, schema)]));
}

function response(description: string, schema: object): object {
  return { description, content: json(schema) };
}

function json(schema: object): object {
  return { 'application/json': { schema } };
}

/** A body is described as a client writes it, an answer as the server gives it. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
