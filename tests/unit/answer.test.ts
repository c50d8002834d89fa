import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { brokenAnswer, type Broken, readAnswer } from '../../functions/processing/answer.pure.ts';
import type { Finish } from '../../functions/providers/model.ts';

const mail =
  'Hello Jane,\n\nI read that ACME opened a plant in Basel. Could we talk?\n\nBest,\nTom';
const read = (text: string, finish: Finish = 'stop') => readAnswer({ text, finish });
const whole = (text: string, finish?: Finish) => read(text, finish).text;
const brokenBy = (text: string, finish?: Finish): Broken | undefined => read(text, finish).broken;

describe('what is around an answer is taken out', () => {
  test.each([
    ['nothing', mail],
    ['thoughts', `<think>\nThe user wants [Your Name].\n</think>\n\n${mail}`],
    ['thoughts by another name', `<Thinking>Hm.</Thinking>${mail}`],
    ['thoughts twice', `<think>a</think>${mail.slice(0, 12)}<think>b</think>${mail.slice(12)}`],
    ['thoughts whose beginning is in the prompt', `Let me see. {{name}}?\n</think>\n${mail}`],
    ['empty thoughts', `<think>\n\n</think>\n\n${mail}`],
    [
      'channels',
      `<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>${mail}<|return|>`,
    ],
    ['a code fence', `\`\`\`\n${mail}\n\`\`\``],
    ['a code fence with a language', `\`\`\`markdown\n${mail}\n\`\`\`\n`],
    ['tildes', `~~~text\n${mail}\n~~~`],
    ['quotes', `"${mail}"`],
    ['German quotes', `„${mail}“`],
    ['a carriage return', mail.replaceAll('\n', '\r\n')],
    ['all of it', `<think>x</think>\n\`\`\`\nSubject: Basel\n\n${mail}\n\`\`\``],
  ])('%s', (_, text) => {
    expect(read(text)).toMatchObject({ text: mail });
  });

  test('a fence after some words loses its marks, the words stay', () => {
    expect(whole(`Here is the email:\n\n\`\`\`\n${mail}\n\`\`\``)).toBe(
      `Here is the email:\n\n${mail}`,
    );
  });

  test('quotes that are part of the text stay', () => {
    for (const text of ['"Basel" is where "ACME" is', '"Hello," she said.', `He asked: "Why?"`])
      expect(whole(text)).toBe(text);
  });

  test.each([
    ['Subject: Your plant in Basel', 'Your plant in Basel'],
    ['**Subject:** Your plant', 'Your plant'],
    ['**Subject: Your plant**', 'Your plant'],
    ['subject line: "Your plant"', 'Your plant'],
    ['# Subject: Your plant', 'Your plant'],
    ['Betreff: Ihr Werk', 'Ihr Werk'],
    ['Objet : Votre usine', 'Votre usine'],
    ['Asunto: Su planta', 'Su planta'],
    ['件名：工場について', '工場について'],
    ['**件名：** 工場について', '工場について'],
    ['Oggetto: Il vostro stabilimento', 'Il vostro stabilimento'],
    ['Assunto: A sua fábrica', 'A sua fábrica'],
    ['Onderwerp: Uw fabriek', 'Uw fabriek'],
    ['Temat: Państwa zakład', 'Państwa zakład'],
    ['제목: 공장', '공장'],
    ['> Subject : `Your plant`', 'Your plant'],
  ])('%s is returned apart', (line, subject) => {
    expect(read(`${line}\n\n${mail}`)).toMatchObject({ text: mail, subject });
    expect(read(`${line}\nBody:\n${mail}`)).toMatchObject({ text: mail, subject });
  });

  test('a subject below a line of introduction is taken too, and the line goes', () => {
    expect(read(`Here is the email:\n\n**Subject:** Basel\n\n${mail}`)).toEqual({
      text: mail,
      subject: 'Basel',
    });
  });

  test('a second subject goes; one line of 150 characters is left of the first', () => {
    expect(read(`Subject: Basel\nBetreff: Ihr Werk\n\n${mail}`)).toEqual({
      text: mail,
      subject: 'Basel',
    });
    expect(read(`Subject: ${'x'.repeat(400)}\n\n${mail}`)).toEqual({
      text: mail,
      subject: 'x'.repeat(150),
    });
  });

  test('marks of sections that were copied go, and bold type', () => {
    expect(whole('Hello <cell>Jane</cell>, **two** plants? 2 ** 3 ** 4')).toBe(
      'Hello Jane, two plants? 2 ** 3 ** 4',
    );
  });

  test('a subject in the middle of a sentence, or none, is none', () => {
    for (const text of [mail, `On the subject: ${mail}`, `${mail}\n\nSubject: again`])
      expect(read(text)).toEqual({ text });
  });
});

describe('an answer is whole or broken', () => {
  test.each<[string, Finish, Broken]>([
    ['', 'stop', 'empty'],
    [' \n ', 'stop', 'empty'],
    ['```\n```', 'stop', 'empty'],
    ['…', 'stop', 'empty'],
    ['<think>Only thoughts.</think>', 'stop', 'empty'],
    ['<think>Thoughts without end', 'stop', 'empty'],
    ['<think>Thoughts without end. And more. And more.', 'length', 'cut'],
    ['', 'length', 'cut'],
    ['Subject: Only that', 'stop', 'empty'],
    [mail, 'content_filter', 'filtered'],
    ['', 'content_filter', 'filtered'],
    ["I'm sorry, I can't help with that.", 'refusal', 'refused'],
  ])('%j that ended with %s is %s', (text, finish, broken) => {
    expect(brokenBy(text, finish)).toBe(broken);
  });

  const opening = 'Hello Jane,\n\nI read that ACME opened a plant in Basel.';
  test.each([
    [
      `${opening} That must have been a year of work. Could`,
      `${opening} That must have been a year of work.`,
    ],
    [`${opening} Was it hard? Wo`, `${opening} Was it hard?`],
    [`${opening} "It was hard." Wo`, `${opening} "It was hard."`],
    [`${opening} It was (very) hard.\n\n1. First`, `${opening} It was (very) hard.`],
    [`${opening} It was hard.\n\n2. `, `${opening} It was hard.`],
    [`${opening} It was hard. Ask Dr. `, `${opening} It was hard.`],
    [`${opening} It was hard. We work with e.g. A`, `${opening} It was hard.`],
    [
      '田中様、バーゼルの工場を拝見しました。素晴らしいです。ぜひ一度',
      '田中様、バーゼルの工場を拝見しました。素晴らしいです。',
    ],
    [`Hi. ${'a word '.repeat(20)}. And`, `Hi. ${'a word '.repeat(20)}.`],
    [mail, 'Hello Jane,\n\nI read that ACME opened a plant in Basel. Could we talk?'],
  ])('cut by length, %j is kept up to its last sentence', (text, kept) => {
    expect(read(text, 'length')).toEqual({ text: kept });
  });

  test.each([
    'Hello Jane,\n\nI read that ACME op',
    'Hello Jane! I hope you are',
    'Hello Jane!\n\nI hope you are well. I re',
    'Dear Dr. Huber, I rea',
    'Visit acme.com and w',
    'x'.repeat(500),
    'word '.repeat(100),
  ])('cut by length, %j is nothing to send', (text) => {
    expect(brokenBy(text, 'length')).toBe('cut');
  });

  test('what is longer than 8,000 characters is cut there', () => {
    const sentence = 'This sentence is one of many. ';
    const text = whole(sentence.repeat(1000)) ?? '';
    expect(text.length).toBeLessThanOrEqual(8000);
    expect(text.length).toBeGreaterThan(7900);
    expect(text.endsWith('many.')).toBe(true);
    expect(brokenBy('x'.repeat(9000))).toBe('cut');
  });
});

describe('placeholders', () => {
  test.each([
    'Best regards,\n[Your Name]',
    'Best regards,\n[your name]',
    '[Your Full Name]\n[Your Position]',
    'Hello [First Name],',
    'Hello [Name],',
    'Hello [Recipient’s Name],',
    'at [Company]',
    'at [COMPANY NAME]',
    'at [company_name]',
    'call [Phone Number]',
    'write to [email address]',
    'book a slot: [Calendar Link]',
    'book a slot: [link]',
    'saved [X]% of',
    'on [date] at [time]',
    'I admire [specific achievement]',
    'I saw [insert a fact about them here]',
    '[Your Name](Your Title)',
    '[Your Name][Your Title]',
    'Mit freundlichen Grüßen\n[Ihr Name]',
    'Hallo [Vorname],',
    'bei [Firma]',
    'bei [Name des Unternehmens]',
    'Cordialement,\n[Votre nom]',
    'chez [Entreprise]',
    'Saludos,\n[Tu nombre]',
    'en [Nombre de la empresa]',
    'Cordiali saluti,\n[Il tuo nome]',
    'Atenciosamente,\n[Seu nome]',
    'Met vriendelijke groet,\n[Uw naam]',
    '[あなたの名前]より',
    '【会社名】の田中です',
    '株式会社○○の田中です',
    '[您的姓名]',
    'Hello {{name}},',
    'Hello {{ first_name }},',
    'Hello {first_name},',
    'Hello {Name},',
    'at <company name>',
    'at <insert company here>',
    'Best, <Your Name>',
    'Best, <name>',
    'Dear ____,',
    'Hi %FIRST_NAME%,',
  ])('%j has one', (text) => {
    expect(brokenBy(`${mail}\n\n${text}`)).toBe('placeholder');
    expect(brokenBy(text)).toBe('placeholder');
  });

  test.each([
    'as studies show [1]',
    'as studies show [1, 2] and [3-5]',
    'They “recieved [sic] an award”',
    'see the report [PDF]',
    'read [our guide](https://example.com/guide)',
    'read [the company page](/company)',
    'book it: [Calendar link](https://cal.example/tom)',
    'read [our name][2]',
    '![company logo](https://example.com/logo.png)',
    '[link]: https://example.com',
    'He said that "[the company] grew"',
    'grew [emphasis added] by 12 %',
    'and so on [...]',
    'and so on […]',
    '- [ ] first\n- [x] second\n- [X] third',
    '[2024] was a year',
    '[EMEA] and [DACH]',
    'write to <tom@example.com>',
    'see <https://example.com/your-name>',
    '<p>Hello</p><br/>',
    'a < b and c > d',
    'if x <3 y> you',
    'set {a, b}',
    'a JSON object: {"name": "Jane"}',
    'section one\n________\nsection two',
    'snake_case__name',
    '100% of names, 50% more',
    'the placeholder text, your name and your company',
    '田中様「貴社」の（会社名は省略）',
    'an array a[i] and a[0]',
    '[John Smith] wrote that',
  ])('%j has none', (text) => {
    expect(read(`${mail}\n\n${text}`)).toEqual({ text: `${mail}\n\n${text}` });
  });

  test('it is named, on one line and not at length', () => {
    const { error } = brokenAnswer(read(`${mail}\n[Your Name]`));
    expect(error).toBe('The model left a placeholder such as [Your Name]');
    const long = brokenAnswer(read(`[your name ${'x '.repeat(30)}]`));
    expect(long.error).toMatch(/^The model left a placeholder such as \[your name .{0,60}$/);
  });
});

test('each kind has a reason for the user and one for the model', () => {
  const reasons = (text: string, finish: Finish) => brokenAnswer(read(text, finish));
  expect(reasons('Hel', 'length').error).toBe("The model's answer was cut off");
  expect(reasons('', 'stop').error).toBe('The model wrote nothing');
  expect(reasons('', 'content_filter').error).toBe(
    "The model's answer was blocked by a content filter",
  );
  expect(reasons('Sorry.', 'refusal')).toEqual({ error: 'The model refused to answer' });
  expect(reasons('[Your Name]', 'stop').retryHint).toMatch(/placeholder/);
});

test('what is left of a cut answer says something', () => {
  expect(read('. . . \n. . a', 'length')).toMatchObject({ broken: 'cut' });
});

test('whatever comes, the answer is bounded, clean and read in time', () => {
  const bits = fc.constantFrom(
    '<think>',
    '</think>',
    '```',
    '\n',
    '[',
    ']',
    '{{',
    '}}',
    '<',
    '>',
    '"',
    '_',
    '. ',
    ' ',
    'a',
    '名',
    '\ud83d',
    '\0',
    'Subject: ',
  );
  fc.assert(
    fc.property(
      fc.array(bits, { maxLength: 400 }),
      fc.constantFrom<Finish>('stop', 'length'),
      (parts, finish) => {
        const answer = read(parts.join('').repeat(20), finish);
        if (answer.broken) return;
        expect(answer.text.isWellFormed()).toBe(true);
        expect(answer.text.length).toBeLessThanOrEqual(8000);
        expect(answer.text).toMatch(/[\p{L}\p{N}]/u);
        expect(answer.text).not.toMatch(/\0|<think>/);
      },
    ),
    { numRuns: 200 },
  );
});
