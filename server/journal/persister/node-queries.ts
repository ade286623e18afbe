/**
 * The way of a query from the main thread to `node.db`. Backends and threads forward its name and
 * parameters and know none of them: a new query is declared in `Queries`, gets its line here, and
 * is answered by the `Projector`.
 */
import { NO_POSITION, type Position } from '#shared/units.ts';
import { unpackRows } from '../fold/projected-row.ts';
import type { NodeQueries, Queries, QueryName } from './persister.ts';
import type { RecordFormat } from '#server/shard/record/format.ts';

/** Parameters and answer of each query, in the form in which generic code can forward them. */
export type QueryCalls = { readonly [Name in QueryName]: (...parameters: Parameters<Queries[Name]>) => ReturnType<Queries[Name]> };

/**
 * Asks one query of whatever keeps `node.db`. `through` is a durable position that the answer must
 * not be older than.
 */
export type Query = <Name extends QueryName>(
  name: Name,
  parameters: Parameters<QueryCalls[Name]>,
  through: Position,
) => Promise<ReturnType<QueryCalls[Name]>>;

/** The main-thread half of the persister, as its queries see it. */
export interface QueryHost {
  readonly durable: Position;
  /** The same promise; a rejection that is a fault of the node is told as one. */
  answered<T>(answer: Promise<T>): Promise<T>;
}

/** The queries, each as of what is durable when it is asked. */
export function nodeQueries(host: QueryHost, backend: { readonly query: Query }, format: RecordFormat): NodeQueries {
  return {
    // As of what is folded already: the alarm scan asks twice a second, and must not have a fold
    // made each time.
    due: (...parameters) => host.answered(backend.query('due', parameters, NO_POSITION)),
    history: (...parameters) => host.answered(backend.query('history', parameters, host.durable)),
    transaction: (...parameters) => host.answered(backend.query('transaction', parameters, host.durable)),
    projection: (...parameters) =>
      host.answered(
        backend.query('projection', parameters, host.durable).then(({ position, rows }) => ({ position, rows: unpackRows(rows, format) })),
      ),
    totals: () => host.answered(backend.query('totals', [], host.durable)),
  };
}
