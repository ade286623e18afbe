/**
 * The few pieces of Markdown that the reference pages are made of. Prettier gives the result its
 * final form.
 */

/** A table; every cell is text of one line, in which a bar is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text in the form of code. */
export function code(text: string): string {
  return `\`${text}\``;
}

/** A whole number with thousands separators. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

/**
 * A number for people, in the unit that its name ends with: `...Ms`, `...Bytes`, `...BasisPoints`,
 * `...PerMille`.
 */
export function withUnit(name: string, value: number): string {
  if (/Ms(?:$|[A-Z])/.test(name)) return inLargestUnit(value, TIME_UNITS);
  if (/Bytes(?:$|[A-Z])/.test(name)) return inLargestUnit(value, BYTE_UNITS);
  if (name.endsWith('BasisPoints')) return `${value / 100} %`;
  if (name.endsWith('PerMille')) return `${value / 10} %`;
  return grouped(value);
}

type Unit = readonly [name: string, size: number];

const TIME_UNITS: readonly Unit[] = [
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

const BYTE_UNITS: readonly Unit[] = [
  ['GiB', 1_024 ** 3],
  ['MiB', 1_024 ** 2],
  ['KiB', 1_024],
];

function inLargestUnit(value: number, units: readonly Unit[]): string {
  const [name, size] = units.find(([, each]) => value >= each && value % each === 0) ?? [units === TIME_UNITS ? 'ms' : 'bytes', 1];
  return value === 0 ? '0' : `${grouped(value / size)} ${name}`;
}
