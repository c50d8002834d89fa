import type { Pool } from 'pg';

const tables = [
  'credit_holds',
  'credit_lots',
  'credit_entries',
  'credit_facts',
  'payment_refs',
  'stripe_customers',
  'notices',
  'subscriptions',
  'stripe_events',
  'stripe_prices',
  'stripe_products',
  'users',
];

/** Empties what events and jobs' credits fill, the ledger too, which refuses that otherwise. */
export async function emptyBooks(pool: Pool): Promise<void> {
  await pool.query(`
    set session_replication_role = replica;
    ${tables.map((name) => `delete from ${name};`).join(' ')}
    set session_replication_role = origin;
    update catalogue_version set version = version + 1`);
}

type Row = Record<string, unknown>;

/** Everything of a user that must not depend on how the events came. */
export type StoredBooks = {
  user: Row;
  lots: Row[];
  holds: Row[];
  subscriptions: Row[];
  /** Each fact as it is joined, by key; but not when it was decided, nor whether it was told otherwise too. */
  facts: Row[];
};

/** A user's books as they are stored, in one round trip. */
export async function readBooks(pool: Pool, user: string): Promise<StoredBooks> {
  const list = (what: string, from: string, by: string): string =>
    `(select coalesce(jsonb_agg(${what} order by ${by}), '[]') from ${from} where user_id = u.id)`;
  const { rows } = await pool.query<{ books: StoredBooks }>(
    `select jsonb_build_object(
        'user', to_jsonb(u) - '{id,stripe_customer_id,version,standing_version,stale_since,signed_up_at,created_at,allowance_due_at,newest_position}'::text[],
        'lots', ${list("to_jsonb(l) - 'user_id'", 'credit_lots l', 'l.key collate "C"')},
        'holds', ${list("to_jsonb(h) - 'user_id'", 'credit_holds h', 'h.key')},
        'subscriptions', ${list("to_jsonb(s) - 'user_id'", 'subscriptions s', 's.stripe_subscription_id')},
        'facts', ${list(
          "case f.kind when 'signup' then jsonb_build_object('key', f.key) else f.body - '{decidedAtMs,differs}'::text[] end",
          'credit_facts f',
          'f.key collate "C"',
        )}) as books
      from users u where u.id = $1`,
    [user],
  );
  const [row] = rows;
  if (!row) throw new Error(`There is no user ${user}.`);
  return row.books;
}
