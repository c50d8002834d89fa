import { neon, neonConfig } from '@neondatabase/serverless';
import { drizzle, type NeonHttpDatabase } from 'drizzle-orm/neon-http';
import { fromDriver } from './errors.ts';

/** How long a statement may take before the caller is told to come again. */
const statementTimeoutMs = 15_000;

/**
 * The database over Neon's HTTP protocol: every call is one round trip and one transaction. There is
 * no session and so nothing to share between requests.
 */
export type Db = {
  /** Calls a function of the `rowloom` schema by its parameter names; objects go as JSON. */
  call: <T>(name: string, args: Record<string, unknown>) => Promise<T>;
  /** Rows of one statement. */
  rows: <T>(text: string, params?: unknown[]) => Promise<T[]>;
  /** The query builder, for reads. Run its queries through `read`, which names a database that is down. */
  read: <T>(query: (orm: NeonHttpDatabase) => Promise<T>) => Promise<T>;
};

const argument = (value: unknown): unknown =>
  value !== null && typeof value === 'object' ? JSON.stringify(value) : value;

/** Opens nothing: the first call makes the first request. */
export function createDb(options: { url: string; proxyUrl?: string | undefined }): Db {
  if (options.proxyUrl) {
    const endpoint = `${options.proxyUrl.replace(/\/+$/, '')}/sql`;
    neonConfig.fetchEndpoint = () => endpoint;
  }
  const sql = neon(options.url);
  const run = async <T>(text: string, params: unknown[]): Promise<T[]> => {
    try {
      const signal = AbortSignal.timeout(statementTimeoutMs);
      return (await sql.query(text, params, { fetchOptions: { signal } })) as T[];
    } catch (error) {
      throw fromDriver(error);
    }
  };
  const orm = drizzle(sql);
  return {
    rows: (text, params = []) => run(text, params),
    call: async <T>(name: string, args: Record<string, unknown>) => {
      const names = Object.keys(args);
      const list = names.map((key, i) => `${key} => $${i + 1}`).join(', ');
      const [row] = await run<{ result: T }>(
        `select rowloom.${name}(${list}) as result`,
        names.map((key) => argument(args[key])),
      );
      if (!row) throw new Error(`rowloom.${name} gave no row`);
      return row.result;
    },
    read: async (query) => {
      try {
        return await query(orm);
      } catch (error) {
        throw fromDriver((error as { cause?: unknown }).cause ?? error);
      }
    },
  };
}
