import { isoTime } from '../shared/time.pure.ts';

/** A ledger entry's row as the database gives it as JSON. */
export type EntryRow = {
  id: number;
  at: string;
  kind: string;
  amount: number;
  plan: number;
  bonus: number;
  purchased: number;
  balance_after: number;
  source_type: string;
  source_id: string;
  job_id: string | null;
};

/** An entry as `GET /v1/credits/entries` shows it, here and wherever else one is shown. */
export const entryView = (row: EntryRow) => ({
  id: String(row.id),
  at: isoTime(row.at),
  kind: row.kind,
  amount: row.amount,
  lots: { plan: row.plan, bonus: row.bonus, purchased: row.purchased },
  balanceAfter: row.balance_after,
  source: { type: row.source_type, id: row.source_id },
  jobId: row.job_id,
});
