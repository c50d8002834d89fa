import { describe, expect, test } from 'vitest';
import { jobOptions } from '../../functions/processing/job-options.ts';
import { languageSchema, senderSchema } from '../../functions/processing/sender.ts';
import { senderOf } from '../../functions/processing/sender-of.pure.ts';

const messagesOf = (options: unknown): string[] =>
  jobOptions.safeParse(options).error?.issues.map(({ message }) => message) ?? [];

test.each(['\r\n', '\r', '\n'])('lines may end in %j, and are kept as ending in \\n', (end) => {
  const text = ['Ada', 'Engines Ltd', ''].join(end);
  const sender = { signature: text, offer: text };
  const kept = { signature: 'Ada\nEngines Ltd', offer: 'Ada\nEngines Ltd' };
  expect(senderSchema.parse(sender)).toEqual(kept);
  expect(jobOptions.parse({ sender }).sender).toEqual(kept);
});

test('a line end counts as one character, and other control characters are refused', () => {
  const signature = 'x\r\n'.repeat(500).slice(0, -2);
  expect(senderSchema.parse({ signature }).signature).toHaveLength(999);
  for (const refused of [{ signature: 'a\0b' }, { signature: 'a\u001bb' }, { name: 'a\r\nb' }])
    expect(senderSchema.safeParse(refused).success).toBe(false);
});

describe('the website', () => {
  test.each([
    'bolt.example',
    'www.bolt.example/demo?a=1#b',
    ' https://bolt.example/@team ',
    'HTTP://Bolt.example:8080',
    'münchen-anvils.example',
    'xn--e1afmkfd.xn--p1ai',
    'https://会社.jp/',
    '',
  ])('may be %j', (website) => {
    expect(senderSchema.parse({ website }).website).toBe(website.trim());
  });

  test.each([
    'javascript:alert(1)',
    'JavaScript://bolt.example/%0aalert(1)',
    'data:text/html,x',
    'ftp://bolt.example',
    'not a url',
    'bolt',
    'https://',
    '//bolt.example',
    'https://bolt.example@evil.example/',
    'user:secret@bolt.example',
    'https://bolt.example/a b',
    'https://bolt..example',
    'https://-bolt.example',
    `https://${'a.'.repeat(140)}`,
  ])('is not %j', (website) => {
    expect(messagesOf({ sender: { website } })).toEqual([
      'is neither a domain such as `example.com` nor an http(s) address',
    ]);
  });
});

describe('the language', () => {
  test.each([
    ['DE', 'de'],
    ['de-de', 'de-DE'],
    ['zh-hant-tw', 'zh-Hant-TW'],
    ['ZH-HANT', 'zh-Hant'],
    ['ES-419', 'es-419'],
    ['Auto', 'auto'],
    ['pt-BR', 'pt-BR'],
  ])('%j is %j: tags are told in any case', (sent, kept) => {
    expect(languageSchema.parse(sent)).toBe(kept);
    expect(jobOptions.parse({ language: sent, sender: { language: sent } })).toEqual({
      language: kept,
      sender: { language: kept },
    });
  });

  test.each(['german', 'd', 'de_DE', 'de-', 'de-DEU', 'de-latn-DE-x', 'zh-TW-hant', 'x-klingon'])(
    '%j is none',
    (language) => expect(languageSchema.safeParse(language).success).toBe(false),
  );
});

test("a field of a job's sender that is null is not said: the profile's stands", () => {
  const { sender } = jobOptions.parse({ sender: { name: null, language: null, tone: 'dry' } });
  expect(senderOf({ name: 'Ada', tone: 'warm' }, sender)).toEqual({ name: 'Ada', tone: 'dry' });
  expect(senderOf(null, sender)).toEqual({ tone: 'dry' });
});

test.each([[true], ['{{Company}}'], [null], [{}]])(
  'research that is %j is told what it must be',
  (research) => expect(messagesOf({ research })).toEqual(['must be false or {query}']),
);

test('of a query that is wrong it is told what is wrong with it', () => {
  expect(messagesOf({ research: { query: 'a\0b' } })).toEqual(['has a NUL character']);
  expect(messagesOf({ research: { query: 'a', on: 1 } })).toEqual(['Unrecognized key: "on"']);
});
