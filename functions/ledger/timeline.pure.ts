import type { Lot } from './books.pure.ts';
import type { Fact } from './facts.pure.ts';

export type StoredLot = {
  key: string;
  kind: Lot['kind'];
  payment: string | null;
  opened: string;
  remaining: number;
  granted: number;
  isExpired: boolean;
  isEncumbered: boolean;
};

/** A user's facts and stored books as `rowloom.ledger_read` gives them. */
export type Timeline = {
  userId: string;
  version: number;
  newestPosition: string | null;
  balance: number;
  held: number;
  sum: number;
  isStale: boolean;
  foldVersion: number;
  nextDueUs: number | null;
  signedUpAt: string | null;
  suspendedReason: string | null;
  /** Keys of entries: a month that a late fact undid may come again. */
  monthsPosted: string[];
  facts: Fact[];
  lots: StoredLot[];
  holds: { key: string; takes: [string, number][]; uncovered: number; isUsage: boolean }[];
  /** By lot what all entries moved it by, where the lots themselves are in doubt. */
  moved?: Record<string, number>;
};
