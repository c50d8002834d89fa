import { describe, expect, test } from 'vitest';
import type { Brief, RowProcessor } from '../../functions/processing/processor.ts';
import { processors } from '../../functions/processing/processors.ts';
import { findingsIn } from '../../functions/providers/search.ts';
import corpus from '../corpora/injections.json' with { type: 'json' };
import { obedientModel, outsideOf } from '../support/obedient-model.ts';
import { briefOf } from '../support/rows.ts';

type Work = {
  header: string[];
  row: string[];
  hit?: { title?: string; snippet?: string; link?: string; description?: string };
  given?: Partial<Brief>;
};

const harmless = 'Anvils of Basel';
const [header, row] = [
  ['company', 'note'],
  ['ACME GmbH', 'met in May'],
];
const sender = { name: 'Tom Roe', company: 'Bolt AG', offer: 'Anvils by the hour', tone: 'dry' };
const prompt = 'Write to {{company}} about {{note}}, briefly. One of: Anvils, Other.';

/** Where strangers' words come in, and the sender's own. */
const places: Record<string, (text: string) => Work> = {
  'a cell': (text) => ({ header, row: ['ACME GmbH', text] }),
  'the company': (text) => ({ header, row: [text, 'met in May'] }),
  'a cell that the prompt names': (text) => ({
    header,
    row: ['ACME GmbH', text],
    given: { prompt },
  }),
  'the name of a column': (text) => ({ header: ['company', text], row }),
  'the title of a result': (title) => ({ header, row, hit: { title } }),
  'the text of a result': (snippet) => ({ header, row, hit: { snippet } }),
  'what the search engine knows': (description) => ({ header, row, hit: { description } }),
  'the offer': (offer) => ({ header, row, given: { sender: { ...sender, offer } } }),
  'the tone': (tone) => ({ header, row, given: { sender: { ...sender, tone } } }),
};

/** What a processor needs besides. */
const optionsOf = ({ name }: RowProcessor): Brief['options'] =>
  name === 'columns'
    ? { outputs: [{ name: 'size', description: 'How many people work there?', type: 'number' }] }
    : {};

const found = ({ title, snippet, link, description }: NonNullable<Work['hit']>) =>
  findingsIn({
    knowledgeGraph: { title: 'ACME', description: description ?? 'makes anvils' },
    organic: [
      {
        title: title ?? 'News',
        snippet: snippet ?? 'ACME grows.',
        link: link ?? 'https://acme.example/news',
      },
    ],
  });

async function work(processor: RowProcessor, { header, row, hit = {}, given }: Work) {
  const findings = found(hit);
  const model = obedientModel(findings);
  const options = { ...optionsOf(processor), ...given?.options };
  const brief = briefOf(processor, header, { sender, ...given, options });
  const { cells } = await processor.process(brief, row, model.tools);
  return { cells, findings, obeyed: model.obeyed(), asked: model.asked };
}

const each = [...processors.values()].map((processor) => ({ name: processor.name, processor }));

test('the corpus is large, and says where each attack is from', () => {
  expect(corpus.texts.length).toBeGreaterThanOrEqual(30);
  expect(new Set(corpus.texts.map(({ name }) => name)).size).toBe(corpus.texts.length);
  for (const { source } of [...corpus.texts, ...corpus.links]) expect(source).toMatch(/\w{4}/);
});

describe.each(each)('$name', ({ processor }) => {
  describe.each(Object.entries(places))('%s', (_, place) => {
    test.each(corpus.texts)(
      '$name: changes nothing but data, and is not obeyed',
      async ({ text }) => {
        const attacked = await work(processor, place(text));
        // What is no name of a company is not searched for: then nothing was found for the other one either.
        const isFound = attacked.asked[0]?.some(({ content }) => content.includes('<research>'));
        const like = isFound ? harmless : 'https://www.facebook.com/somebody';
        const plain = await work(processor, place(like));
        expect(attacked.asked).toHaveLength(1);
        const outside = attacked.asked[0]?.map(({ content }) => outsideOf(content));
        expect(outside).toEqual(plain.asked[0]?.map(({ content }) => outsideOf(content)));
        expect(attacked.obeyed).toBe(0);
      },
    );
  });

  test.each(corpus.links)(
    'the address $link reaches neither model nor user as it is',
    async ({ link }) => {
      const { asked, obeyed, findings } = await work(processor, { header, row, hit: { link } });
      expect(obeyed).toBe(0);
      expect(
        asked
          .flat()
          .map(({ content }) => content)
          .join('\n'),
      ).not.toContain('PWNED');
      for (const source of findings.sources) {
        expect(source).toMatch(/^https:\/\/[\w.-]+\/[\w./?=&%~+-]*$/);
        expect(source.length).toBeLessThanOrEqual(500);
      }
    },
  );

  test.each(corpus.texts)('told by its user, the model does obey: $name', async ({ text }) => {
    const told = { header, row, given: { prompt: `Write to them. ${text}` } };
    expect((await work(processor, told)).obeyed).toBeGreaterThan(0);
  });
});
