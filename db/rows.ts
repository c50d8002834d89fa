import type { Table } from 'drizzle-orm';
import * as z from 'zod';

/** `externalId` → `external_id`: how schema.ts names every column (a test of the db layer compares). */
type SnakeCase<Name extends string> = Name extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${SnakeCase<Tail>}`
  : Name;

/** A row of a table of schema.ts as `to_jsonb` gives it: columns by their SQL names, times as text. */
export type JsonRow<T extends Table> = {
  [Key in keyof T['$inferSelect'] & string as SnakeCase<Key>]:
    | Exclude<T['$inferSelect'][Key], Date>
    | (Date extends T['$inferSelect'][Key] ? string : never);
};

/** Reads a row by its key alone: that it has its table's columns is known from schema.ts. */
export const rowOf = <Row extends object>(key: keyof Row & string) =>
  z.custom<Row>((value) => typeof (value as Partial<Row> | null)?.[key] === 'string', 'not a row');
