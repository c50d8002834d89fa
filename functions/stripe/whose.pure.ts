import type { Fact } from '../ledger/facts.pure.ts';
import { isPaid } from '../ledger/payers.pure.ts';
import { skip, type Reading } from './reading.pure.ts';

/** What `rowloom.user_resolve` finds. */
export type Who =
  | {
      userId: string;
      /** The key of the payment that a reversal is about. */
      payment: string | null;
      /** Its customer is known by what whoever pays chose, and by nothing of ours. */
      isChosen: boolean;
    }
  | {
      userId: null;
      /** The payment that a reversal is about is not known. */
      isPayment: boolean;
      /** The accounts that the payer means: by a reference, by a verified e-mail address. */
      references: string[];
      emails: string[];
      waitsFor: string[];
    };

/** Whose a reading is although nothing of ours says so; what it is to that account, the fold decides. */
export type Claim = { userId: string; isChosen: boolean };

export type Telling = Extract<Reading, { facts: Fact[] }>;

const notOurs = skip('about no customer, price or user of ours');

/**
 * Whose a reading is that our metadata, its subscription and its customer do not tell: what the payer chose,
 * a client reference before a verified e-mail address. Else a verdict.
 */
export function claimOf(reading: Exclude<Reading, { skip: string }>, who: Who): Claim | Reading {
  if (who.userId !== null) return { userId: who.userId, isChosen: who.isChosen };
  const { references, emails, waitsFor } = who;
  const [named] = references;
  const isOurs = reading.isOurs === true || (reading.isOurs === 'if_named' && named !== undefined);
  if (!isOurs && !who.isPayment) return notOurs;
  if ('fail' in reading) return { fail: reading.fail };
  const fail = (code: 'unknown_payment' | 'ambiguous_user' | 'unknown_user', detail: string) => ({
    fail: { code, detail, waitsFor },
  });
  if (who.isPayment)
    return fail('unknown_payment', 'No credits were granted for this payment (yet).');
  if (named === undefined && emails.length > 1)
    return fail(
      'ambiguous_user',
      'Several accounts have this e-mail address; set metadata.user_id.',
    );
  const userId = named ?? emails[0];
  if (userId === undefined)
    return fail('unknown_user', 'No account has this user id, Stripe customer or e-mail address.');
  return { userId, isChosen: true };
}

/** A fact of an account that only the payer chose. */
export const chosenFact = (fact: Fact): Fact => (isPaid(fact) ? { ...fact, isChosen: true } : fact);

/** What is told of an account that only the payer chose. */
export const asChosen = (reading: Telling): Telling => ({
  ...reading,
  facts: reading.facts.map(chosenFact),
});
