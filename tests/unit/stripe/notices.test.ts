import { describe, expect, test } from 'vitest';
import { invoice, line, readOf, told, type Json } from './shop.ts';

describe('an early fraud warning', () => {
  const warning = (fields: Json = {}): Json => ({
    id: 'issfr_1',
    actionable: true,
    charge: 'ch_1',
    fraud_type: 'made_with_stolen_card',
    payment_intent: 'pi_1',
    ...fields,
  });

  test('is about whoever got what the charge bought, and says the same when it is updated', () => {
    const created = told(readOf('radar.early_fraud_warning.created', warning()));
    expect(created.identity).toEqual({
      userIds: [],
      customerId: null,
      email: null,
      refs: ['ch_1', 'pi_1'],
    });
    expect([created.facts, created.changes]).toEqual([[], []]);
    expect(created.notices).toEqual([
      {
        kind: 'fraud_warning',
        subject: { type: 'charge', id: 'ch_1' },
        detail: expect.stringMatching(/charge ch_1 for fraud \(made with stolen card\)/),
      },
    ]);
    const updated = readOf('radar.early_fraud_warning.updated', warning({ actionable: false }));
    expect(told(updated).notices).toEqual(created.notices);
  });

  test('may name its charge alone', () => {
    const fields = { payment_intent: undefined, fraud_type: null };
    const reading = told(readOf('radar.early_fraud_warning.created', warning(fields)));
    expect(reading.identity?.refs).toEqual(['ch_1']);
    expect(readOf('radar.early_fraud_warning.created', warning({ charge: null }))).toEqual({
      fail: { code: 'unreadable', detail: 'The warning names no charge.' },
    });
  });
});

describe('an invoice that could not be finalized', () => {
  const lines = [line({ price: 'price_starter', amount: 1900 })];
  const draft = (of: Json[], fields: Json = {}) => invoice(of, { status: 'draft', ...fields });
  const failed = (object: Json) => readOf('invoice.finalization_failed', object);
  const error = { code: 'customer_tax_location_invalid', message: "Ask <ada@example.com>'s bank." };

  test('is noticed in Stripe’s words, without an e-mail address', () => {
    const { facts, notices, identity } = told(
      failed(draft(lines, { last_finalization_error: error })),
    );
    expect(facts).toEqual([]);
    expect(identity).toMatchObject({ userIds: ['user_1'], subscriptionId: 'sub_1' });
    expect(notices).toEqual([
      {
        kind: 'provider_refused',
        subject: { type: 'invoice', id: 'in_1' },
        detail:
          "Stripe could not finalize invoice in_1 of subscription sub_1, which does not renew until that is mended: Ask <(an address)>'s bank.",
      },
    ]);
  });

  test.each<[unknown, string]>([
    [{ code: 'api_error' }, 'mended: api_error'],
    [null, 'mended: it does not say why'],
  ])('whose error is %j says what there is', (last_finalization_error, words) => {
    const [notice] = told(failed(draft(lines, { last_finalization_error }))).notices;
    expect(notice?.detail).toContain(words);
  });

  test('and bills no plan of ours is none of our business', () => {
    const other = [line({ price: 'price_other', amount: 500 })];
    expect(told(failed(draft([...other, ...lines, line({ amount: 1 })]))).notices).toHaveLength(1);
    expect(failed(draft(other))).toEqual({ skip: 'bills no plan' });
    expect(failed(draft([line({ price: 'price_small', amount: 500 })]))).toEqual({
      skip: 'bills no plan',
    });
    expect(failed(draft(lines, { parent: null }))).toEqual({
      skip: 'not an invoice of a subscription',
    });
    const nobodys = {
      type: 'subscription_details',
      subscription_details: { subscription: 'sub_1' },
    };
    expect(told(failed(draft(lines, { parent: nobodys }))).isOurs).toBe(true);
    const more = { data: other, has_more: true };
    expect(told(failed(draft([], { parent: nobodys, lines: more }))).isOurs).toBe(false);
  });

  test('and has been since is what its status says', () => {
    expect(told(failed(invoice(lines, { last_finalization_error: error })))).toMatchObject({
      facts: [{ kind: 'plan' }],
      notices: [],
    });
    expect(failed(invoice(lines, { status: 'open' }))).toEqual({ skip: 'not paid' });
  });
});
