import { connect } from 'node:net';
import { Pool, type PoolClient } from 'pg';
import { ConnectFailure } from './answers.ts';
import { PreparedStatements } from './prepared.ts';
import { parseTarget, type Target } from './target.ts';
import { type Approve, type Caller, run, type Batch } from './transaction.ts';

const maxConnections = 50;
const idleMs = 10_000;

/** Asks Postgres to end what the connection is doing, over a line of its own as it wants it. */
function cancel(target: Target, client: PoolClient): void {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = connect(target.port, target.host);
  socket.on('error', () => socket.destroy());
  socket.on('connect', () => socket.end(request));
}

/** Connections to Postgres, kept per connection string as Neon keeps them. */
export class Pools {
  readonly #pools = new Map<string, { pool: Pool; target: Target }>();
  readonly #prepared = new WeakMap<PoolClient, PreparedStatements>();
  readonly #server: string | undefined;

  /** `server` takes the place of what callers name, see `parseTarget`. */
  constructor(server?: string) {
    this.#server = server;
  }

  #entry(connectionString: string | undefined): { pool: Pool; target: Target } {
    const known = this.#pools.get(connectionString ?? '');
    if (known) return known;
    const target = parseTarget(connectionString, this.#server);
    const pool = new Pool({ ...target, max: maxConnections, idleTimeoutMillis: idleMs });
    // A connection that dies tells whoever uses it; unheard, its event would end our process.
    pool.on('connect', (client) => client.on('error', () => undefined));
    pool.on('error', () => undefined);
    const key = connectionString ?? '';
    pool.on('remove', () => {
      if (pool.totalCount === 0 && pool.waitingCount === 0) this.#pools.delete(key);
    });
    const entry = { pool, target };
    this.#pools.set(key, entry);
    return entry;
  }

  #preparedOn(client: PoolClient): PreparedStatements {
    const known = this.#prepared.get(client) ?? new PreparedStatements();
    this.#prepared.set(client, known);
    return known;
  }

  /**
   * Runs a batch and gives what `approve` makes of its outcomes. A caller that goes away has its
   * statement cancelled and its connection dropped.
   * @throws Refusal, ConnectFailure or the DatabaseError.
   */
  async run<T>(
    connectionString: string | undefined,
    batch: Batch,
    maxBytes: number,
    caller: Caller,
    approve: Approve<T>,
  ): Promise<T | undefined> {
    const { pool, target } = this.#entry(connectionString);
    const client = await pool.connect().catch((cause: Error) => {
      throw new ConnectFailure(`error connecting to server: ${cause.message}`, { cause });
    });
    if (caller.isGone) {
      client.release();
      return undefined;
    }
    const line = { client, prepared: this.#preparedOn(client), isTainted: false };
    caller.onGone = () => cancel(target, client);
    try {
      return await run(line, batch, maxBytes, caller, approve);
    } finally {
      caller.onGone = undefined;
      const isClean = !line.isTainted && client.getTransactionStatus() === 'I';
      client.release(!isClean || caller.isGone);
    }
  }

  /** Resolves when every connection has ended. */
  async close(): Promise<void> {
    const entries = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(entries.map(({ pool }) => pool.end()));
  }
}
