/** A cell of a table: numbers stay numbers in `--json`, null is "not measured". */
export type Cell = number | string | null;

/** What one benchmark found: columns are the keys of its rows, in order of appearance. */
export type Table = { title: string; rows: Record<string, Cell>[]; notes: string[] };

/** How thoroughly to measure. */
export type Effort = {
  /** Small sizes, one round: does it work, roughly how fast. */
  quick: boolean;
  /** The sizes that take minutes too. */
  full: boolean;
  /** The folder of another checkout of the project to measure by turns with this one. */
  against?: string | undefined;
};

export type Benchmark = {
  name: string;
  about: string;
  /** @throws Error when what was measured is not true to the data: then its numbers mean nothing. */
  run: (effort: Effort) => Promise<Table[]>;
};
