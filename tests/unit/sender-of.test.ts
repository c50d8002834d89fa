import { expect, test } from 'vitest';
import { senderFields, senderOf, senderView } from '../../functions/processing/sender-of.pure.ts';
import { senderSchema } from '../../functions/processing/sender.ts';

const ada = { name: 'Ada Lovelace', company: 'Engines Ltd', signature: 'Ada\nEngines Ltd' };

test('every field of a sender is known by name', () => {
  expect([...senderFields].toSorted()).toEqual(Object.keys(senderSchema.shape).toSorted());
  expect(Object.keys(senderView(null)).toSorted()).toEqual([...senderFields].toSorted());
});

test("a job's sender overrides the profile's fields one by one", () => {
  expect(senderOf(ada, { name: 'Grace Hopper', tone: 'brief' })).toEqual({
    name: 'Grace Hopper',
    company: 'Engines Ltd',
    tone: 'brief',
    signature: 'Ada\nEngines Ltd',
  });
  expect(senderOf(ada, undefined)).toEqual(ada);
  expect(senderOf(null, ada)).toEqual(ada);
});

test('an empty text takes a field away', () => {
  expect(senderOf(ada, { signature: '' })).toEqual({ name: ada.name, company: ada.company });
});

test('where nothing is said there is no sender', () => {
  for (const nothing of [null, undefined, {}, { name: '' }, { name: ' \n' }]) {
    expect(senderOf(nothing, nothing)).toBeNull();
    expect(senderOf({ name: 'Ada' }, { name: '' })).toBeNull();
  }
});
