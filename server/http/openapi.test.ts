import { describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { openApiDocument } from './openapi.ts';
import { OPERATIONS, type Operation } from './operations.ts';

/** As a client reads it: JSON has no `undefined`. */
const document = (): Record<string, never> => JSON.parse(JSON.stringify(openApiDocument())) as Record<string, never>;

describe('the description of the HTTP interface', () => {
  it('is OpenAPI 3.1, by the schema of OpenAPI itself', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(document());
    expect(errors ?? []).toEqual([]);
    expect([valid, validator.version]).toEqual([true, '3.1']);
  });

  it('would not be if it were wrong', async () => {
    const { valid } = await new Validator().validate({ ...document(), paths: { '/x': { get: { responses: { 200: {} } } } } });
    expect(valid).toBe(false);
  });

  it('has each operation, with the key that it wants', () => {
    const { paths } = document() as unknown as {
      paths: Record<string, Record<string, { security?: unknown; parameters: { name: string }[] }>>;
    };
    for (const { method, path, right, parameters, query } of Object.values<Operation>(OPERATIONS)) {
      const described = paths[path]?.[method];
      expect(described?.security).toEqual(right === undefined ? undefined : [{ serviceKey: [] }]);
      expect(described?.parameters.map(({ name }) => name)).toEqual([...Object.keys(parameters ?? {}), ...Object.keys(query ?? {})]);
    }
  });
});
