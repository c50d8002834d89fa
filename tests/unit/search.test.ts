import { describe, expect, test } from 'vitest';
import { type BegunRow, pendingRowsOf } from '../../functions/processing/chunk.pure.ts';
import { findingsIn } from '../../functions/providers/search.ts';

const hit = (link: unknown, n = 1) => ({ title: `Title ${n}`, snippet: `Text ${n}.`, link });

describe('what a search has found', () => {
  test('each line names its source by number', () => {
    const found = findingsIn({
      knowledgeGraph: {
        title: 'ACME',
        type: 'Company',
        description: 'Makes anvils.',
        descriptionLink: 'https://en.wikipedia.example/wiki/ACME',
      },
      organic: [hit('https://acme.example/', 1), hit('https://news.example/a?b=1#c', 2)],
    });
    expect(found).toEqual({
      summary: 'ACME – Company – Makes anvils. [1]\nTitle 1: Text 1. [2]\nTitle 2: Text 2. [3]',
      sources: [
        'https://en.wikipedia.example/wiki/ACME',
        'https://acme.example/',
        'https://news.example/a?b=1#c',
      ],
    });
  });

  test('one address is one source; what others cite is no citation of ours', () => {
    const [one, two] = [hit('https://acme.example/'), hit('https://acme.example', 2)];
    const third = { title: 'C', snippet: 'Founded in 1901.[4] [12]', link: 'https://c.example/' };
    expect(findingsIn({ organic: [one, two, third] })).toEqual({
      summary: 'Title 1: Text 1. [1]\nTitle 2: Text 2. [1]\nC: Founded in 1901. [2]',
      sources: ['https://acme.example/', 'https://c.example/'],
    });
  });

  test.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)//https://acme.example',
    'data:text/html,x',
    'https://user:secret@acme.example/',
    'http://user@acme.example/',
    'ftp://acme.example/',
    'acme.example',
    '//acme.example',
    '',
    7,
    null,
    `https://acme.example/${'x'.repeat(600)}`,
  ])('a result with the address %j is left out, and the next takes its place', (link) => {
    const good = [2, 3, 4, 5].map((n) => hit(`https://${n}.example/`, n));
    const { summary, sources } = findingsIn({ organic: [hit(link), ...good] });
    expect(sources).toEqual(good.map((one) => one.link));
    expect(summary).not.toContain('Title 1');
  });

  test('one without an address, or with a plain one, is told without a source', () => {
    for (const link of [undefined, 'http://acme.example/'])
      expect(findingsIn({ organic: [hit(link), hit('https://b.example/', 2)] })).toEqual({
        summary: 'Title 1: Text 1.\nTitle 2: Text 2. [1]',
        sources: ['https://b.example/'],
      });
  });

  test('an address that is too long goes without its query', () => {
    const link = `https://acme.example/about?utm=${'x'.repeat(600)}`;
    expect(findingsIn({ organic: [hit(link)] }).sources).toEqual(['https://acme.example/about']);
  });

  test('long texts are cut, their citations are not', () => {
    const organic = [1, 2, 3, 4, 5, 6].map((n) => ({
      ...hit(`https://${n}.example/`, n),
      snippet: 'x'.repeat(900),
    }));
    const { summary, sources } = findingsIn({
      knowledgeGraph: { title: 'ACME', description: 'y'.repeat(900) },
      organic,
    });
    expect(summary.length).toBeLessThanOrEqual(2000);
    const lines = summary.split('\n');
    expect(lines).toHaveLength(4);
    for (const [i, line] of lines.slice(1).entries()) expect(line).toMatch(`xxx [${i + 1}]`);
    expect(sources).toHaveLength(3);
  });
});

test('a row that was begun by an older version has its summary', () => {
  const found = { summary: 'new', sources: ['https://acme.example/'] };
  const begun: BegunRow = {
    status: 'begun',
    searches: [
      ['ACME', 'old'],
      ['Bolt', found],
    ],
  };
  const chunk = { rows: [['a']], results: [begun], todo: null, duplicates: null };
  const [row] = pendingRowsOf(chunk, 1);
  expect([...(row?.searches ?? [])]).toEqual([
    ['ACME', { summary: 'old', sources: [] }],
    ['Bolt', found],
  ]);
});
