import { describe, expect, test } from 'vitest';
import { beginsWithClosing, signed } from '../../functions/processing/signature.pure.ts';

const body = 'Guten Tag,\n\nwer leitet das Werk?';
const signature = 'Viele Grüße\nTom Roe\n\nBolt AG · Basel\n  +41 61 555 01 02';

describe('a signature', () => {
  test('stands below the e-mail, byte for byte', () => {
    expect(signed(body, signature)).toBe(`${body}\n\n${signature}`);
    expect(signed(body, undefined)).toBe(body);
    expect(signed(body, '')).toBe(body);
  });

  test.each([
    ['all of it', signature],
    ['a part', 'Viele Grüße\nTom Roe'],
    ['its name', 'Tom Roe'],
    ['with other blanks and marks', 'viele grüße,\n\n  **Tom Roe**\nBolt AG - Basel'],
    ['a closing of its own', 'Mit freundlichen Grüßen'],
    ['a closing of its own and the name', 'Freundliche Grüsse aus Basel,\nTom Roe'],
  ])('is not there twice where the model has written %s', (_, written) => {
    expect(signed(`${body}\n\n${written}\n`, signature)).toBe(`${body}\n\n${signature}`);
  });

  test('without a closing leaves that of the model', () => {
    expect(signed(`${body}\n\nMit freundlichen Grüßen\nTom Roe`, 'Tom Roe\nBolt AG')).toBe(
      `${body}\n\nMit freundlichen Grüßen\n\nTom Roe\nBolt AG`,
    );
  });

  test.each([
    'Best way forward?',
    'Regards the plant: who runs it?',
    'Thank you for an answer by May.',
  ])('takes no sentence for a closing: %j', (last) => {
    expect(signed(`${body}\n\n${last}`, signature)).toBe(`${body}\n\n${last}\n\n${signature}`);
  });

  test('leaves an e-mail that says nothing else', () => {
    expect(signed('Tom Roe', signature)).toBe(`Tom Roe\n\n${signature}`);
  });
});

test.each([
  'Best regards,\nTom',
  'Kind regards\nTom',
  'Best,\nTom',
  'Sincerely\nTom',
  'Yours sincerely,\nTom',
  'Mit freundlichen Grüßen\nTom',
  'Mit freundlichem Gruß\nTom',
  'Beste Grüsse aus Basel\nTom',
  'Cordialement,\nTom',
  'Un saludo,\nTom',
  'Cordiali saluti\nTom',
  'Atenciosamente,\nTom',
  'Met vriendelijke groet,\nTom',
  '何卒よろしくお願いいたします。\n田中',
  '敬具\n田中',
])('%j begins with a closing', (text) => expect(beginsWithClosing(text)).toBe(true));

test.each([
  'Tom Roe\nBolt AG',
  'Best Western Hotels\nTom',
  'Bolt AG',
  'Thanks Ltd',
  '田中 太郎',
  '-- \nTom',
])('%j does not', (text) => expect(beginsWithClosing(text)).toBe(false));
