import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sayStep } from '../../../functions/ledger/sentences.pure.ts';
import {
  booksAt,
  hold,
  leftOf,
  pack,
  paid,
  refund,
  release,
  signup,
  starter,
} from '../../support/facts.ts';

const docs = new URL('../../../docs/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, docs), 'utf8');

const mode = 'keep-purchased';
const late = refund('re_1', 'cs_1', 500, '2027-01-20T15:00:00Z');
const facts = [
  signup('2026-12-30T09:00:00Z'),
  paid('in_1', starter, '2027-01-01T10:00:00Z', { mode, reason: 'create' }),
  pack('cs_1', '2027-01-05T12:00:00Z'),
  hold('J', 1200, '2027-01-10T08:00:00Z'),
  release('J', 150, '2027-01-10T08:20:00Z'),
  paid('in_2', starter, '2027-01-31T10:00:00Z', { mode }),
];
const february = '2027-02-02T00:00:00Z';

const dayOf = (atUs: number): string => {
  const at = new Date(atUs / 1000);
  return `${at.getUTCDate()} ${['Jan', 'Feb'][at.getUTCMonth()] ?? 'Dec'}`;
};

test('the example of "How a balance comes about" is what the fold says', () => {
  const { steps, books } = booksAt([...facts, late], february);
  const shown = read('how-a-balance-comes-about.md')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, ...cells]) => cells.slice(0, 3));
  expect(shown).toEqual(
    steps.map((step) => [dayOf(step.atUs), sayStep(step), step.balance.toLocaleString('en')]),
  );
  expect(books.balance).toBe(1200);
  expect(booksAt(facts, february).books.balance).toBe(1450);
});

test('the picture has its numbers', () => {
  const folded = booksAt([late, ...facts], february);
  const texts = [...read('how-a-balance-comes-about.svg').matchAll(/<text[^>]*>([^<]*)</g)].map(
    ([, text]) => text,
  );
  const balances = folded.steps.map(({ balance }) => balance.toLocaleString('en'));
  expect(texts.filter((text) => /^[\d,]+$/.test(text ?? ''))).toEqual(balances);
  expect(leftOf(folded)).toEqual({ cs_1: 200, in_2: 1000 });
  expect(texts).toEqual(expect.arrayContaining(['200 left', '1,000 left', '250 taken back']));
});
