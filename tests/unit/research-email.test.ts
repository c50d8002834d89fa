import { describe, expect, test } from 'vitest';
import { saysNothing } from '../../functions/processing/blank-value.pure.ts';
import { dataRule, nothingFound } from '../../functions/processing/message.pure.ts';
import type { Brief, RowTools } from '../../functions/processing/processor.ts';
import { researchEmail } from '../../functions/processing/research-email.ts';
import { ProviderError, RowFault } from '../../functions/providers/errors.pure.ts';
import type { Message } from '../../functions/providers/model.ts';
import { type Findings, noFindings } from '../../functions/providers/research.ts';
import { briefOf } from '../support/rows.ts';

const found: Findings = {
  summary: 'ACME opens a plant in Basel. [1]\nACME hires. [2]',
  sources: ['https://acme.example/news', 'https://jobs.example/acme'],
};
const header = ['company', 'city'];
const row = ['ACME GmbH', 'Basel'];
const mail = 'Subject: Your plant in Basel\n\nGuten Tag,\n\nwho runs it? Could we talk?';
const body = 'Guten Tag,\n\nwho runs it? Could we talk?';

/** Tools that find this and answer with these in turn; what they were asked is kept. */
function toolsOf(answers: string[], findings = found) {
  const asked: Message[][] = [];
  const searched: string[] = [];
  const tools: RowTools = {
    search: ({ text }) => {
      searched.push(text);
      return Promise.resolve(findings);
    },
    complete: (messages) => {
      asked.push(messages);
      return Promise.resolve({ text: answers[asked.length - 1] ?? '', finish: 'stop' });
    },
  };
  return { tools, asked, searched };
}

type Given = Partial<Brief> & { answers?: string[]; row?: string[]; findings?: Findings };
async function work({ answers = [mail], row: cells = row, findings, ...given }: Given = {}) {
  const { tools, asked, searched } = toolsOf(answers, findings);
  const result = await researchEmail.process(briefOf(researchEmail, header, given), cells, tools);
  const [system = '', user = ''] = asked[0]?.map(({ content }) => content) ?? [];
  return { ...result, asked, searched, system, user };
}

const tom = {
  name: 'Tom Roe',
  role: 'Founder',
  company: 'Bolt AG',
  website: 'https://bolt.example',
  offer: 'Anvils by the hour.\nFrom 9 EUR.',
  tone: 'dry',
};

describe('the cells', () => {
  test('are what was found with its links, subject and body', async () => {
    const { cells, note, user } = await work();
    expect(cells).toEqual([
      found.summary,
      'https://acme.example/news\nhttps://jobs.example/acme',
      'Your plant in Basel',
      body,
    ]);
    expect(note).toBeUndefined();
    expect(cells).toHaveLength(researchEmail.outputColumns({}).length);
    expect(user).toContain(`<research>\n${found.summary}\n</research>`);
  });

  test('hold no numbers of sources that the model has copied', async () => {
    const answer = 'Subject: Basel [1]\n\nYou open a plant [1], and hire [1, 2]. Why [2024]?';
    const { cells } = await work({ answers: [answer] });
    expect(cells.slice(2)).toEqual(['Basel', 'You open a plant, and hire. Why [2024]?']);
  });

  test('stay within bounds, whatever is written and signed', async () => {
    const signature = 's'.repeat(1000);
    const answer = `Subject: ${'x'.repeat(999)}\n\n${'A sentence of the e-mail. '.repeat(800)}`;
    const { cells } = await work({ answers: [answer], sender: { ...tom, signature } });
    expect(cells[2]).toBe('x'.repeat(150));
    expect(cells[3]?.length).toBeLessThanOrEqual(9000);
    expect(cells[3]?.length).toBeGreaterThan(8900);
    expect(cells[3]?.endsWith(`e-mail.\n\n${signature}`)).toBe(true);
  });
});

describe('where nothing is found', () => {
  test('the model is told, and so is the user', async () => {
    const { cells, note, user, searched } = await work({ findings: noFindings });
    expect(searched).toEqual(['ACME GmbH']);
    expect(cells).toEqual(['', '', 'Your plant in Basel', body]);
    expect(note).toBe('no research found');
    expect(user.endsWith(`\n\n${nothingFound}`)).toBe(true);
    expect(user).not.toContain('<research>');
    expect(nothingFound).toMatch(/invent no facts.*do\s+not\s+imply/);
  });

  test('for want of anything to search for, the row is worked without, and its note says why', async () => {
    const options = { research: { query: '{{company}}' } };
    const { cells, note, user, searched } = await work({ row: ['N/A', 'Basel'], options });
    expect(searched).toEqual([]);
    expect(cells).toEqual(['', '', 'Your plant in Basel', body]);
    expect(note).toBe('no research found: no company in this row');
    expect(user.endsWith(`\n\n${nothingFound}`)).toBe(true);
  });

  test('without research nothing is searched, told or noted', async () => {
    const { cells, note, user, searched } = await work({ options: { research: false } });
    expect(searched).toEqual([]);
    expect(cells.slice(0, 2)).toEqual(['', '']);
    expect(note).toBeUndefined();
    expect(user.endsWith('</lead>')).toBe(true);
  });
});

describe('a row that says nothing', () => {
  test.each([
    [['', '  ']],
    [['N/A', '-']],
    [['none', 'test']],
    [['', 'n/a']],
    [['—', '???']],
    [['k. A.', 'keine Angabe']],
    [['なし', 'ー']],
    [['Mr', '-']],
    [['Frau', 'k.A.']],
    [['様', '未定']],
  ])('%j is refused before anybody is asked', async (cells) => {
    const { tools, asked, searched } = toolsOf([mail]);
    const working = researchEmail.process(briefOf(researchEmail, header), cells, tools);
    const error: unknown = await working.catch((thrown: unknown) => thrown);
    expect(error).toEqual(
      new ProviderError(
        'The row has nothing to go by: its cells are empty or placeholders such as N/A',
      ),
    );
    // Nobody was asked: it counts towards no limit.
    expect(error).not.toBeInstanceOf(RowFault);
    expect([asked, searched]).toEqual([[], []]);
  });

  test('is known by what the model sees of it', async () => {
    const given = {
      row: ['N/A', 'Basel'],
      columns: ['company'],
      options: { research: false as const },
    };
    await expect(work(given)).rejects.toThrow('nothing to go by');
    const prompt = 'Write to someone in {{City}}.';
    expect((await work({ ...given, prompt })).cells[3]).toBe(body);
    expect((await work({ ...given, columns: null })).cells[3]).toBe(body);
  });

  test.each(['ACME', '3M', 'Testa', 'Nonesuch', 'Xing', 'A', 'No. 7', 'Naan', 'Test Rite', '10'])(
    '%j says something',
    (cell) => expect(saysNothing(cell)).toBe(false),
  );
});

describe('the subject', () => {
  const bare = body;
  test('is asked for once more when there is none', async () => {
    const { cells, asked } = await work({ answers: [bare, mail] });
    expect(cells[2]).toBe('Your plant in Basel');
    expect(asked[1]?.at(-1)?.content).toMatch(/no subject.*"Subject: "/);
  });

  test.each([[bare], [`Subject:\n\n${bare}`], [`**Subject:** \n\n${bare}`]])(
    'is none in %j: twice is a fault of the row',
    async (answer) => {
      const { tools, asked } = toolsOf([answer, answer]);
      const working = researchEmail.process(briefOf(researchEmail, header), row, tools);
      await expect(working).rejects.toEqual(new RowFault('The model wrote no subject'));
      expect(asked).toHaveLength(2);
    },
  );

  test('may be missing where the prompt is the user’s own', async () => {
    const prompt = 'Write to {{company}}. No subject line.';
    const { cells, asked } = await work({ answers: [bare], prompt });
    expect(cells.slice(2)).toEqual(['', bare]);
    expect(asked).toHaveLength(1);
  });
});

describe('a link', () => {
  const withLink = (link: string) => `Subject: Basel\n\nCould we talk? See ${link}.`;
  const evil = 'https://evil.example/?q=1';

  test.each([
    ['the sender’s', 'https://www.bolt.example/demo', { sender: tom }],
    ['the offer’s', 'cal.example/tom', { sender: { offer: 'Book at https://cal.example/tom' } }],
    ['the task’s', 'https://Cal.example/x', { prompt: 'Give them https://cal.example/x to book.' }],
    ['the lead’s', 'www.acme.example', { row: ['ACME GmbH', 'https://acme.example'] }],
  ])('that is %s stays', async (_, link, given) => {
    const { cells, asked } = await work({ ...given, answers: [withLink(link)] });
    expect(cells[3]).toContain(link);
    expect(asked).toHaveLength(1);
  });

  test('that nobody gave is asked to go, even if research holds it', async () => {
    const findings = { summary: `ACME: more at ${evil} [1]`, sources: [evil] };
    const { cells, asked } = await work({ findings, answers: [withLink(evil), mail] });
    expect(cells[3]).toBe(body);
    expect(asked[1]?.at(-1)?.content).toContain('a link that nobody gave you');
  });

  test.each([
    evil,
    'HTTPS://EVIL.example',
    'www.evil.example',
    'https://bolt.example@evil.example/',
    'http://evil.example:80',
  ])('%s twice is a fault of the row', async (link) => {
    const answers = [withLink(link), withLink(link)];
    // The lead's own host only ends like that one.
    const given = { sender: tom, row: ['ACME GmbH', 'devil.example'] };
    await expect(work({ ...given, answers })).rejects.toEqual(
      new RowFault('The model made up a link to evil.example'),
    );
  });
});

describe('the sender', () => {
  test('is told as data, without the signature, in the system message', async () => {
    const signature = 'Secret Signature';
    const { system, user } = await work({ sender: { ...tom, signature } });
    expect(system).toContain(
      '<sender>\nname: Tom Roe\nrole: Founder\ncompany: Bolt AG\nwebsite: https://bolt.example\noffer: Anvils by the hour. From 9 EUR.\ntone: dry\n</sender>',
    );
    expect(system).toMatch(/in the name of the sender.*Its offer is what/s);
    expect(system + user).not.toContain('Secret');
  });

  test.each([[null], [{}], [{ language: 'de' }], [{ tone: 'dry', signature: 'Tom' }]])(
    'that is %j is not pretended to be known',
    async (sender) => {
      const { system } = await work({ sender });
      expect(system).toContain('nothing is known of who sends this. Speak for no company');
      expect(system).not.toContain('in the name of');
    },
  );

  test('what every e-mail needs is said whatever the prompt', async () => {
    for (const prompt of [researchEmail.defaultPrompt, 'Be brief.']) {
      const { system, user } = await work({ prompt, sender: tom });
      expect(system).toContain(dataRule);
      for (const rule of ['Truth:', 'Sender:', 'Language:', 'Form:', '"Subject: "', 'End:'])
        expect(system).toContain(rule);
      expect(user.startsWith(`${prompt}\n\n<lead>\ncompany: ACME GmbH\ncity: Basel\n</lead>`)).toBe(
        true,
      );
    }
  });

  test('messages are bounded, however much there is to say', async () => {
    const long = (length: number) => 'x'.repeat(length);
    const sender = {
      name: long(200),
      role: long(200),
      company: long(200),
      website: long(300),
      offer: long(2000),
      tone: long(200),
      signature: long(1000),
    };
    const findings = { summary: long(2000), sources: [] };
    const prompt = `{{city}}${long(7992)}`;
    const { system, user } = await work({ sender, findings, prompt, row: [long(900), long(900)] });
    expect(system.length).toBeLessThanOrEqual(5500);
    expect(user.length).toBeLessThanOrEqual(12_000);
  });
});

describe('the language', () => {
  const ruleOf = async (given: Given) => (await work(given)).system.match(/Language: .*/)?.[0];

  test('is the lead’s where none is named, English in doubt', async () => {
    expect(await ruleOf({})).toMatch(/at the lead's place.*country.*In doubt write English\./);
    expect(await ruleOf({ options: { language: 'auto' }, sender: { language: 'de' } })).toMatch(
      /at the lead's place/,
    );
  });

  test.each([
    ['de', 'German (de)'],
    ['pt-BR', 'Brazilian Portuguese (pt-BR)'],
    ['zh-Hant', 'Traditional Chinese (zh-Hant)'],
    ['ja', 'Japanese (ja)'],
    ['qaa', 'the language with the tag qaa'],
  ])('%s is %s, whatever the lead’s', async (language, named) => {
    expect(await ruleOf({ options: { language } })).toContain(`Write in ${named}, whatever`);
    expect(await ruleOf({ sender: { language } })).toContain(`Write in ${named}, whatever`);
    expect(await ruleOf({ options: { language }, sender: { language: 'fr' } })).toContain(named);
  });

  test('comes with the address that it is polite in', async () => {
    expect(await ruleOf({})).toMatch(/Sie in German.*敬語 and 様 in Japanese/);
  });
});
