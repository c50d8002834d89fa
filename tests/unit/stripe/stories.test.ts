import { describe, expect, test } from 'vitest';
import type { Fact } from '../../../functions/ledger/facts.pure.ts';
import { readEvent } from '../../../functions/stripe/read-event.pure.ts';
import type { Reading } from '../../../functions/stripe/reading.pure.ts';
import { beforeBasil, stories, type Story } from '../../support/stripe-stories/index.ts';
import { DAY, joined, knowledgeOf } from './shop.ts';
import { api, readAll, wired } from './wire.ts';

const START = 1_790_000_000;

/** A fact in a few words; its day counts from the story's beginning. */
function wordsOf(fact: Fact): string | null {
  const day = Math.floor((fact.atUs / 1e6 - START) / DAY);
  switch (fact.kind) {
    case 'plan': {
      const { reason, form, terms, quantity, charge, total } = fact;
      return `day ${day}: ${reason} ${form} ${terms.plan}×${quantity} ${charge} of ${total}`;
    }
    case 'pack':
      return `day ${day}: pack ${fact.pack}×${fact.quantity} ${fact.credits} for ${fact.total}`;
    case 'reversal':
      return `day ${day}: ${fact.taken ? 'taken' : 'kept'} ${fact.amount} by ${fact.source}`;
    case 'invoice':
      return `day ${day}: ${fact.state}`;
    default:
      return null;
  }
}

async function tellOf(story: Story, told: Story['steps'] = story.steps) {
  const { ctx } = wired(api(story));
  const events = told.map(({ event }) => readEvent(event)).filter((event) => event !== undefined);
  const readings = await readAll(ctx, events, knowledgeOf(story));
  return { events, readings, facts: joined(readings) };
}

const named = (name: string): Story => {
  const tell = stories[name];
  if (!tell) throw new Error(`There is no story ${name}.`);
  return tell({ at: START, tag: name, userId: 'user_1' });
};

const first = 'day 0: create full starter×1 1900 of 1900';
const renewed = 'day 30: cycle full starter×1 1900 of 1900';

/** Every story's money, in the order in which it is told. */
const expected: Record<string, string[]> = {
  dearerAddOn: [
    'day 0: create full starter×1 1900 of 11800',
    'day 30: cycle full starter×1 1900 of 11800',
  ],
  yearlyAddOn: [
    'day 0: create full starter×1 1900 of 100900',
    renewed,
    'day 61: cycle full starter×1 1900 of 1900',
  ],
  meteredFirst: [first, 'day 30: cycle full starter×1 1900 of 7900'],
  tenOldProrations: [
    'day 0: create full starter×1 1900 of 2400',
    'day 30: cycle full starter×1 1900 of 5251',
  ],
  twelveLines: [
    'day 0: create full starter×1 1900 of 3055',
    'day 30: cycle full starter×1 1900 of 3055',
  ],
  pendingOneOff: [first, 'day 30: cycle full starter×1 1900 of 16900'],
  setUpFeeOnTrial: [
    'day 0: create trial starter×1 0 of 4900',
    'day 14: cycle full starter×1 1900 of 1900',
  ],
  trialExtended: [
    'day 0: create trial starter×1 0 of 0',
    'day 10: update trial starter×1 0 of 0',
    'day 21: cycle full starter×1 1900 of 1900',
  ],
  quantityToAndFro: [
    first,
    'day 5: update proration starter×2 1584 of 1584',
    'day 10: update proration starter×1 -1266 of -1266',
    'day 15: update proration starter×2 950 of 950',
    'day 30: cycle full starter×2 3800 of 3800',
  ],
  switchedAndInvoiced: [
    first,
    'day 10: update proration growth×1 4000 of 4000',
    'day 30: cycle full growth×1 7900 of 7900',
  ],
  switchedWithProrations: [first, 'day 30: cycle full growth×1 11900 of 11900'],
  switchedForNothing: [first, 'day 30: cycle full growth×1 7900 of 7900'],
  couponAdded: [first, 'day 30: cycle full starter×1 1900 of 950'],
  cancelledWithInvoice: [first, 'day 10: update proration starter×1 -1267 of -1267'],
  pausedVoid: [first, 'day 30: closed'],
  pausedUncollectible: [first, 'day 30: closed'],
  pausedAsDraft: [first],
  refundedInPart: [first, 'day 1: taken 700 by refund'],
  balancePaysPart: [
    'day 0: create full growth×1 7900 of 7900',
    'day 30: cycle full growth×1 7900 of 7900',
    'day 30: taken 1000 by refund',
  ],
  paidOutOfBand: [first, renewed],
  creditNoteWithRefund: [first, 'day 1: taken 900 by refund'],
  creditNoteToBalance: [first, 'day 1: taken 900 by credit_note'],
  creditNoteOutOfBand: [first, 'day 1: taken 900 by credit_note'],
  creditNoteBeforePayment: [first, 'day 30: cycle full starter×1 1900 of 1500'],
  disputePrevented: [first],
  disputeWon: [first, 'day 1: kept 1900 by dispute'],
  fraudWarning: ['day 0: pack small×1 500 for 1500', 'day 1: taken 1500 by refund'],
  packByPaymentLink: [],
  planByPaymentLink: [first, renewed],
  planByPricingTable: [first, renewed],
  otherSubscription: [],
  otherSession: [],
  oneOffInvoice: [],
  setupSession: [],
  onConnectedAccount: [],
  inLiveMode: [first],
  thinEvent: [],
  inYen: ['day 0: create full starter×1 1980 of 2178', 'day 30: cycle full starter×1 1980 of 2178'],
  inDinar: [
    'day 0: create full starter×1 6000 of 6600',
    'day 30: cycle full starter×1 6000 of 6600',
  ],
};

test('no story is left out', () => {
  expect(Object.keys(expected)).toEqual(Object.keys(stories));
});

/** The only stories in which something is wrong. */
const failures: Record<string, string[]> = {
  packByPaymentLink: ['missing_metadata'],
  otherSubscription: ['unknown_price'],
  otherSession: ['missing_metadata'],
};
const failuresOf = (readings: Reading[]): string[] => [
  ...new Set(readings.flatMap((reading) => ('fail' in reading ? [reading.fail.code] : []))),
];

describe.each(Object.entries(expected))('%s', (name, words) => {
  test('comes to its money, and nothing else goes wrong', async () => {
    const { facts, readings } = await tellOf(named(name));
    expect(facts.map(wordsOf).filter((text) => text !== null)).toEqual(words);
    expect(failuresOf(readings)).toEqual(failures[name] ?? []);
  });

  test('comes to the same in any order, and in the shape of before "basil"', async () => {
    const story = named(name);
    const keys = (facts: Fact[]) => facts.map(({ key, atUs }) => `${atUs} ${key}`).toSorted();
    const { facts } = await tellOf(story);
    const backwards = await tellOf(story, story.steps.toReversed());
    expect(keys(backwards.facts)).toEqual(keys(facts));
    if (name === 'thinEvent') return;
    const older = await tellOf(story, beforeBasil(story));
    expect(older.facts.map(wordsOf)).toEqual(facts.map(wordsOf));
    const states = (all: Fact[]) => all.filter(({ kind }) => kind === 'state');
    expect(states(older.facts).map((fact) => ({ ...fact, key: '', before: null }))).toEqual(
      states(facts).map((fact) => ({ ...fact, key: '', before: null })),
    );
  });
});

test('the money of every invoice and session is known by the ids that its reversals name', async () => {
  for (const name of ['refundedInPart', 'balancePaysPart', 'disputeWon', 'fraudWarning']) {
    const { readings } = await tellOf(named(name));
    const links = readings.flatMap((reading) => ('links' in reading ? reading.links : []));
    const reversals = readings.filter(
      (reading) => 'facts' in reading && reading.facts.some(({ kind }) => kind === 'reversal'),
    );
    expect(reversals.length).toBeGreaterThan(0);
    for (const reading of reversals) {
      const refs = ('identity' in reading && reading.identity?.refs) || [];
      const payments = links.filter(({ ref }) => refs.includes(ref)).map(({ payment }) => payment);
      expect(new Set(payments).size).toBe(1);
    }
  }
});
