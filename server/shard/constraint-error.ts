/** A value that its attribute does not allow. The message names entity, attribute, what was expected and what came. */
export class ConstraintError extends Error {
  override readonly name = 'ConstraintError';

  constructor(entity: string, attribute: string, type: string, expected: string, given: unknown) {
    super(`[${entity}.${attribute} = ${type}()] must be ${expected}; not ${describe(given)}`);
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return describeText(value);
  if (typeof value === 'number') return `number ${value}`;
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'array' : typeof value;
}

function describeText(value: string): string {
  if (value.includes('\0')) return 'string with NUL';
  return value.isWellFormed() ? `string of ${value.length} characters` : 'string with a lone surrogate';
}
