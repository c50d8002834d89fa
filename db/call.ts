import { arrayParameters, functionsSchema, type Functions } from './functions.generated.ts';
import { inSchema } from './in-schema.ts';

export type FunctionName = keyof Functions;
export type Args<N extends FunctionName> = Functions[N]['takes'];

/** Reads an answer and throws for one of another shape; a schema of zod's is one. */
export type Answer<T> = { parse: (value: unknown) => T };

/** Functions whose answer is JSON or a row: only the caller can say what is in it. */
type Untold = {
  [N in FunctionName]: unknown extends Functions[N]['gives'] ? N : never;
}[FunctionName];

/** The name, the parameters that go with it, and what to read the answer by. */
type Told<T> = {
  [N in Untold]: [name: N, args: Args<N>, answer: Answer<T>];
}[Untold];

/**
 * Calls one function in one round trip and one transaction. Names and types of parameters are those of
 * its SQL; so is the type of a plain answer. JSON is read by `answer`, without which `T` is a mere claim.
 */
export type Call = {
  <N extends Exclude<FunctionName, Untold>>(name: N, args: Args<N>): Promise<Functions[N]['gives']>;
  <T>(...call: Told<T>): Promise<T>;
};

/** The same for what stands between: any name, any parameters. */
export type AnyCall = (
  name: string,
  args: Record<string, unknown>,
  answer?: Answer<unknown>,
) => Promise<unknown>;

/** SQL that says `rowloom.name`, as this version of the code has it released. */
export const released = (text: string): string => inSchema(functionsSchema, text);

/** The statement of a call: `result` is the answer. Objects go as JSON, arrays as what they are in SQL. */
export function callStatement(
  name: string,
  args: Record<string, unknown>,
): { text: string; params: unknown[] } {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  const list = given.map(([key], i) => `${key} => $${i + 1}`).join(', ');
  const params = given.map(([key, value]) =>
    value === null || typeof value !== 'object' || arrayParameters.includes(`${name}.${key}`)
      ? value
      : JSON.stringify(value),
  );
  return { text: `select ${functionsSchema}.${name}(${list}) as result`, params };
}

/** Calls by statements that `run` runs. */
export const callThrough =
  (run: (text: string, params: unknown[]) => Promise<{ result: unknown }[]>): Call & AnyCall =>
  async (name: string, args: Record<string, unknown>, answer?: Answer<unknown>) => {
    const { text, params } = callStatement(name, args);
    const [row] = await run(text, params);
    if (!row) throw new Error(`rowloom.${name} gave no row`);
    return answer ? answer.parse(row.result) : row.result;
  };
