import { describe, expect, test } from 'vitest';
import type { Fact } from '../../../functions/ledger/facts.pure.ts';
import { noticesOf } from '../../../functions/ledger/notices.pure.ts';
import type { Timeline } from '../../../functions/ledger/timeline.pure.ts';
import {
  booksAt,
  customer,
  dispute,
  pack,
  paid,
  refund,
  signup,
  spent,
  starter,
  state,
  suspension,
  undone,
} from '../../support/facts.ts';

const noticesAt = (facts: Fact[], suspendedReason: string | null = null) =>
  noticesOf(booksAt(facts, 9), { suspendedReason } as Timeline);
const theirs = { customer: 'cus_b', isChosen: true } as const;
const known = customer('cus_own');

describe('an operator sees', () => {
  test('each payment of others for an account that has a customer, and who paid', () => {
    const facts = [
      signup(0),
      known,
      state('active', starter, 1, theirs),
      paid('in_b', starter, 1, theirs),
      pack('cs_b', 2, theirs),
      pack('cs_guest', 3, { customer: null, isChosen: true }),
      refund('re', 'cs_b', 100, 4),
      pack('cs_own', 5, { customer: 'cus_own' }),
    ];
    const notices = noticesAt(facts);
    expect(notices.map(({ kind, subject }) => [kind, subject.type, subject.id])).toEqual([
      ['unlinked_payment', 'invoice', 'in_b'],
      ['unlinked_payment', 'checkout_session', 'cs_b'],
      ['unlinked_payment', 'checkout_session', 'cs_guest'],
    ]);
    const [invoice, , guest] = notices.map(({ detail }) => detail);
    expect(invoice).toMatch(/^cus_b chose this account and paid for it.*set metadata\.user_id/);
    expect(guest).toMatch(/^A guest chose/);
  });

  test('no payment of the only customer there is, nor of a guest where there is none', () => {
    expect(noticesAt([paid('in_b', starter, 1, theirs)])).toEqual([]);
    expect(noticesAt([pack('cs', 1, { customer: null, isChosen: true })])).toEqual([]);
  });

  test('the dispute that suspends an account, once', () => {
    const open = dispute('dp_1', 'cs_1', 1000, 3);
    const facts = [known, pack('cs_1', 1), ...spent('j', 200, 2), open];
    const [notice, ...more] = noticesAt(facts);
    expect(notice).toMatchObject({
      kind: 'account_suspended',
      subject: { type: 'dispute', id: 'dp_1' },
    });
    expect(more).toEqual([]);
    expect(noticesAt(facts, 'dispute dp_1')).toEqual([]);
    expect(noticesAt(facts, 'dispute dp_0')).toHaveLength(1);
    expect(noticesAt([...facts, undone(open)])).toEqual([]);
  });

  test('a second subscription that is paid beside one that lives, whichever is told first', () => {
    const a = { customer: 'cus_own', subscription: 'sub_a' };
    const b = { customer: 'cus_own', subscription: 'sub_b' };
    const first = [paid('in_a', starter, 1, a), state('active', starter, 1, a)];
    const second = [paid('in_b', starter, 5, b), paid('in_b2', starter, 8, b)];
    const about = (facts: Fact[]) =>
      noticesAt(facts).map(({ kind, subject: { id } }) => [kind, id]);
    const noticed = [['duplicate_subscription', 'sub_b']];
    expect(about([...first, ...second])).toEqual(noticed);
    expect(about([...second, ...first])).toEqual(noticed);
    expect(noticesAt([...first, ...second])[0]?.detail).toMatch(/^It was paid while sub_a lived/);
    // A state whose successor was not heard of; and nothing but an invoice.
    expect(about([...first.slice(0, 1), state('incomplete', starter, 1, a), ...second])).toEqual(
      noticed,
    );
    expect(about([...first.slice(0, 1), ...second])).toEqual(noticed);
    for (const status of ['canceled', 'incomplete_expired', 'unpaid', 'paused'])
      expect(about([...first, state(status, starter, 4, a), ...second])).toEqual([]);
    expect(about([...first, ...second, state('canceled', starter, 6, a)])).toEqual(noticed);
    expect(about([state('active', starter, 1, a), ...second])).toEqual([]);
    expect(about(second)).toEqual([]);
    const others = second.map((fact) => ({ ...fact, ...theirs }));
    expect(about([...first, ...others]).map(([kind]) => kind)).not.toContain(
      'duplicate_subscription',
    );
  });

  test('both', () => {
    const facts = [known, pack('cs_1', 1), ...spent('j', 200, 2), dispute('dp_1', 'cs_1', 1000, 3)];
    expect(noticesAt([...facts, pack('cs_b', 5, theirs)]).map(({ kind }) => kind)).toEqual([
      'unlinked_payment',
      'account_suspended',
    ]);
  });

  test('nothing of a suspension that an operator ordered', () => {
    expect(noticesAt([suspension('suspend', 1)])).toEqual([]);
  });
});
