import { describe, expect, test } from 'vitest';
import { fail, failFor, tell, type Reading } from '../../../functions/stripe/reading.pure.ts';
import { asChosen, claimOf, type Telling, type Who } from '../../../functions/stripe/whose.pure.ts';
import {
  adjustment,
  customer,
  dispute,
  pack,
  paid,
  paymentFailed,
  signup,
  starter,
  state,
} from '../../support/facts.ts';

type Failed = Extract<Reading, { fail: object }>;

const identity = { userIds: [], customerId: 'cus_1', email: null };
const ours = tell(identity) as Telling;
const unsaid = tell(identity, { isOurs: 'if_named' }) as Telling;
const others = tell(identity, { isOurs: false }) as Telling;
const nobody: Who = {
  userId: null,
  isPayment: false,
  references: [],
  emails: [],
  waitsFor: ['ada@example.com'],
};
const notOurs = { skip: 'about no customer, price or user of ours' };

describe('whose a reading is', () => {
  test('whoever was found, chosen or not', () => {
    for (const isChosen of [true, false])
      expect(claimOf(others, { userId: 'a', payment: null, isChosen })).toEqual({
        userId: 'a',
        isChosen,
      });
  });

  test('by a reference before an e-mail address, and then it was chosen', () => {
    const both = { ...nobody, references: ['a'], emails: ['b'] };
    expect(claimOf(ours, both)).toEqual({ userId: 'a', isChosen: true });
    expect(claimOf(ours, { ...both, references: [] })).toEqual({ userId: 'b', isChosen: true });
    expect(claimOf(ours, { ...both, emails: ['b', 'c'] })).toEqual({ userId: 'a', isChosen: true });
  });

  test('nobody yet: it waits for whoever it names, if it is ours', () => {
    const code = 'unknown_user';
    expect(claimOf(ours, nobody)).toMatchObject({ fail: { code, waitsFor: nobody.waitsFor } });
  });

  test('an address that several accounts have verified is nobody', () => {
    const shared = { ...nobody, emails: ['a', 'b'] };
    expect(claimOf(ours, shared)).toMatchObject({
      fail: { code: 'ambiguous_user', waitsFor: nobody.waitsFor },
    });
  });

  test('what is not ours is nobody, whatever address or account it names', () => {
    const named = { ...nobody, references: ['a'], emails: ['b'] };
    for (const who of [nobody, named]) expect(claimOf(others, who)).toEqual(notOurs);
  });

  test('what does not say what it sells is ours if it names an account, by more than an address', () => {
    expect(claimOf(unsaid, nobody)).toEqual(notOurs);
    expect(claimOf(unsaid, { ...nobody, emails: ['b'] })).toEqual(notOurs);
    expect(claimOf(unsaid, { ...nobody, references: ['a'] })).toEqual({
      userId: 'a',
      isChosen: true,
    });
  });

  test('money that goes back of a payment that is not known waits for it', () => {
    const payment = { ...nobody, isPayment: true, waitsFor: ['pi_1'] };
    for (const reading of [ours, others])
      expect(claimOf(reading, payment)).toMatchObject({
        fail: { code: 'unknown_payment', waitsFor: ['pi_1'] },
      });
  });

  test('what cannot be read fails as it did, unless it is nobody of ours', () => {
    const failure = { code: 'unknown_price', detail: 'gone', waitsFor: ['price_1'] } as const;
    const failed = (isOurs: boolean | 'if_named') =>
      failFor({ identity, isOurs }, { ...failure, waitsFor: ['price_1'] }) as Failed;
    expect(claimOf(failed(true), nobody)).toEqual({ fail: failure });
    expect(claimOf(failed(false), nobody)).toEqual(notOurs);
    expect(claimOf(failed('if_named'), { ...nobody, references: ['a'] })).toEqual({
      fail: failure,
    });
    const plain = fail('unreadable', 'It has no id.') as Failed;
    expect(claimOf(plain, nobody)).toEqual(notOurs);
  });
});

test('what is told of an account that was chosen says so, where somebody pays', () => {
  const paidFor = [
    pack('cs_1', 0),
    paid('in_1', starter, 0),
    state('active', starter, 0),
    paymentFailed('in_2', 0),
    customer('cus_1'),
  ];
  const rest = [signup(0), adjustment('1', 5, 0), dispute('dp_1', 'cs_1', 1, 1)];
  const marked = asChosen({ ...ours, facts: [...paidFor, ...rest] });
  expect(marked).toEqual({
    ...ours,
    facts: [...paidFor.map((fact) => ({ ...fact, isChosen: true })), ...rest],
  });
});
