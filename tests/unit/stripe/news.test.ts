import { describe, expect, test } from 'vitest';
import { activated, isNews } from '../../../functions/stripe/news.pure.ts';
import { paid, second, starter, state } from '../../support/facts.ts';

describe('a subscription that was known to wait for money', () => {
  const invoice = paid('in_1', starter, 100);
  const waiting = state('incomplete', starter, 90);

  test('is active since its invoice was paid, if nothing else told so', () => {
    expect(activated(invoice, [waiting])).toMatchObject({
      status: 'active',
      atUs: invoice.atUs,
      isRead: true,
    });
    const pastDue = state('past_due', starter, 95);
    expect(activated(invoice, [waiting, pastDue])).toMatchObject({ status: 'active' });
  });

  test('is no news where it was active before, or a state says so soon after', () => {
    expect(activated(invoice, [])).toBeUndefined();
    // Of two updates in the second of the payment the one that found the other comes last, whatever their keys.
    const incomplete = {
      ...state('incomplete', starter, 100, { phase: 'updated' }),
      key: 'state:sub_1:z',
    };
    const active = { ...state('active', starter, 100, { phase: 'updated' }), key: 'state:sub_1:a' };
    const told = { ...active, before: { status: 'incomplete' } };
    expect(activated(invoice, [incomplete, told])).toBeUndefined();
    expect(activated(invoice, [told, incomplete])).toBeUndefined();
    expect(activated(invoice, [waiting, active, incomplete])).toBeUndefined();
    expect(activated(invoice, [waiting, state('active', starter, 100)])).toBeUndefined();
    const next = { ...state('active', starter, 101), atUs: invoice.atUs + 2e6 };
    expect(activated(invoice, [waiting, next])).toBeUndefined();
    const unpaid = { ...next, status: 'past_due' };
    expect(activated(invoice, [waiting, unpaid])).toMatchObject({ status: 'active' });
    const late = { ...next, atUs: invoice.atUs + 3601e6 };
    expect(activated(invoice, [waiting, late])).toMatchObject({ status: 'active' });
  });

  test('stays as it is for a trial or a change', () => {
    expect(activated({ ...invoice, form: 'trial' }, [waiting])).toBeUndefined();
    expect(activated({ ...invoice, form: 'proration' }, [waiting])).toBeUndefined();
  });
});

test('another catalogue alone is no news; a later time is none, an earlier one is', () => {
  const known = paid('in_1', starter, 100);
  expect(isNews(undefined, known)).toBe(true);
  expect(isNews(known, { ...known, decidedAtMs: known.decidedAtMs + 1, quantity: 2 })).toBe(false);
  expect(isNews(known, { ...known, atUs: known.atUs + 1 })).toBe(false);
  expect(isNews(known, { ...known, atUs: second(1) })).toBe(true);
});
