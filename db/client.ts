import { neon, neonConfig } from '@neondatabase/serverless';
import { type Call, callThrough, released } from './call.ts';
import { fromDriver } from './errors.ts';

/** How long a statement may take before the caller is told to come again. */
const statementTimeoutMs = 15_000;

/**
 * The database over Neon's HTTP protocol: every call is one round trip and one transaction. There is
 * no session and so nothing to share between requests.
 */
export type Db = {
  /** Calls one of our SQL functions, as this version of the code has it released. */
  call: Call;
  /** Rows of one statement; `rowloom.name` in it is our SQL function of that name. */
  rows: <T>(text: string, params?: unknown[]) => Promise<T[]>;
};

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
  return {
    rows: (text, params = []) => run(released(text), params),
    call: callThrough(run),
  };
}
