import { expect, test } from 'vitest';
import { differenceOf } from '../../../functions/ledger/difference.pure.ts';
import type { Timeline } from '../../../functions/ledger/timeline.pure.ts';
import { foldVersion } from '../../../functions/ledger/fold.pure.ts';
import { chargeRefunded, pack, refund } from '../../support/facts.ts';

/** The books of a user of whom nothing is known. */
const nothing: Timeline = {
  userId: '11111111-1111-4111-8111-111111111111',
  version: 1,
  newestPosition: null,
  balance: 0,
  held: 0,
  sum: 0,
  isStale: false,
  foldVersion,
  nextDueUs: null,
  signedUpAt: null,
  suspendedReason: null,
  monthsPosted: [],
  facts: [],
  lots: [],
  holds: [],
};

test.each(['refund', 'charge'])(
  'a refund that Stripe tells twice, its %s first, takes back once',
  (first) => {
    const bought = pack('cs_1', 1);
    const twice = [
      refund('re_1', 'cs_1', bought.total, 2),
      chargeRefunded('ch_1', 'cs_1', bought.total, 2),
    ].toSorted(({ source }) => (source === first ? -1 : 1));
    const facts = [bought, ...twice];
    const kinds: string[] = [];
    const moved: Record<string, number> = {};
    for (const [i, fact] of facts.entries()) {
      const known = facts.slice(0, i + 1);
      const timeline = { ...nothing, facts: facts.slice(0, i), moved };
      const { books } = differenceOf(timeline, known, { nowUs: bought.atUs + 1e7, told: [fact] });
      kinds.push(...books.entries.map(({ kind }) => kind));
      for (const { movements } of books.entries)
        for (const [lot, credits] of Object.entries(movements))
          moved[lot] = (moved[lot] ?? 0) + credits;
    }
    expect(kinds).toEqual(['pack', 'clawback']);
  },
);
