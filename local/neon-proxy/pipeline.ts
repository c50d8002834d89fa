import { type Client, DatabaseError, type Submittable } from 'pg';
import { Refusal } from './answers.ts';
import { encode } from './messages.ts';
import type { Field, PreparedStatements, Statement, Step } from './prepared.ts';
import type { Text } from './values.ts';

export type Outcome = { fields: Field[]; rows: Text[][]; command: string; rowCount: number | null };

/** The parts of pg's Connection that are used here. */
type Wire = {
  stream: { write: (bytes: Buffer) => void; destroy: () => void };
  sync: () => void;
  sendCopyFail: (reason: string) => void;
  once: (event: 'readyForQuery' | 'end', listener: () => void) => void;
  off: (event: 'readyForQuery' | 'end', listener: () => void) => void;
};

/** A connection in use; once tainted it may carry answers that belong to nobody. */
export type Line = { client: Client; prepared: PreparedStatements; isTainted: boolean };

type Settled = (error: unknown) => void;

/**
 * Statements sent to Postgres in one go and answered in one go: the first that fails ends the lot.
 * Rows stay as text. Given to `client.query`, which calls the `handle…` methods.
 */
class Pipeline {
  readonly outcomes: Outcome[] = [];
  readonly #line: Line;
  readonly #steps: Step[];
  readonly #settle: Settled;
  readonly #maxBytes: number;
  #bytes = 0;
  #wire: Wire | undefined;
  #fields: Field[] | undefined;
  #rows: Text[][] = [];
  #refusal: Refusal | undefined;

  constructor(line: Line, statements: Statement[], maxBytes: number, settle: Settled) {
    this.#line = line;
    this.#steps = line.prepared.plan(statements);
    this.#maxBytes = maxBytes;
    this.#settle = settle;
  }

  submit(wire: Wire): null {
    this.#wire = wire;
    wire.stream.write(encode(this.#steps));
    return null;
  }

  handleRowDescription(message: { fields: Field[] }): void {
    this.#fields = message.fields;
  }

  /** Rows past the limit would only fill our memory: the line is cut, and the statement with it. */
  handleDataRow(message: { fields: Text[]; length: number }): void {
    if (this.#refusal) return;
    this.#rows.push(message.fields);
    this.#bytes += message.length - 6 - 4 * message.fields.length;
    if (this.#bytes <= this.#maxBytes) return;
    this.#refusal = tooLarge(this.#maxBytes);
    this.#rows = [];
    this.#line.isTainted = true;
    this.#wire?.stream.destroy();
  }

  handleCommandComplete(message: { text: string }): void {
    const [command = '', ...rest] = message.text.split(' ');
    const count = Number(rest.at(-1) ?? Number.NaN);
    this.#finish(command, Number.isNaN(count) ? null : count);
  }

  handleEmptyQuery(): void {
    this.#finish('', null);
  }

  /** A statement that ran is one that Postgres has; its columns need not be asked for again. */
  #finish(command: string, rowCount: number | null): void {
    const prepared = this.#steps[this.outcomes.length]?.prepared;
    const fields = this.#fields ?? prepared?.fields ?? [];
    if (prepared) prepared.fields = fields;
    this.outcomes.push({ fields, rows: this.#rows, command, rowCount });
    this.#fields = undefined;
    this.#rows = [];
  }

  /** After an error of a statement Postgres still owes us "ready"; after a broken line it does not. */
  handleError(error: unknown, wire: Wire): void {
    const failure = this.#refusal ?? error;
    if (!(error instanceof DatabaseError) || error.severity !== 'ERROR') {
      this.#line.isTainted = true;
      return this.#settle(failure);
    }
    const settle = () => {
      wire.off('readyForQuery', settle);
      wire.off('end', settle);
      this.#settle(failure);
    };
    wire.once('readyForQuery', settle);
    wire.once('end', settle);
  }

  /** Our Sync was swallowed by the copy, so another one must follow the refusal. */
  handleCopyInResponse(wire: Wire): void {
    this.#line.isTainted = true;
    wire.sendCopyFail('COPY FROM STDIN does not work over HTTP');
    wire.sync();
  }

  handleCopyData(): void {
    this.#line.isTainted = true;
  }

  handleReadyForQuery(): void {
    this.#settle(this.#refusal);
  }
}

/** Neon's refusal of an answer that grew past `maxBytes`. */
export const tooLarge = (maxBytes: number): Refusal =>
  new Refusal(507, `response is too large (max is ${maxBytes} bytes)`);

/**
 * Runs statements in one network round trip: in the transaction that is open, or else in one of their
 * own.
 * @throws DatabaseError of the first that fails; Refusal 507; Error when the connection broke.
 */
export function runPipeline(line: Line, statements: Statement[], maxBytes: number) {
  return new Promise<Outcome[]>((resolve, reject) => {
    const sent: Pipeline = new Pipeline(line, statements, maxBytes, (error) => {
      if (error === undefined) resolve(sent.outcomes);
      else reject(error);
    });
    line.client.query(sent as unknown as Submittable);
  });
}
