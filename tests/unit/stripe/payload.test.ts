import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asKey,
  readPayload,
  storable,
  storedPayload,
} from '../../../functions/stripe/payload.pure.ts';

describe('what Postgres takes', () => {
  test.each([
    ['plain', String.raw`{"a":"\n\"\\"}`, String.raw`{"a":"\n\"\\"}`],
    ['NUL', String.raw`{"a\u0000":"\u0000"}`, '{"a\uFFFD":"\uFFFD"}'],
    ['an escaped backslash before u0000', String.raw`"\\u0000"`, String.raw`"\\u0000"`],
    ['three backslashes', String.raw`"\\\u0000"`, '"\\\\\uFFFD"'],
    ['a pair', String.raw`"\ud83d\ude00"`, String.raw`"\ud83d\ude00"`],
    ['a pair in capitals', String.raw`"\uD83D\uDE00\u0000"`, String.raw`"\uD83D\uDE00` + '\uFFFD"'],
    ['a first half', String.raw`"\ud83dx"`, '"\uFFFDx"'],
    ['a second half', String.raw`"\ude00"`, '"\uFFFD"'],
    ['two first halves', String.raw`"\ud83d\ud83d\ude00"`, '"\uFFFD' + String.raw`\ud83d\ude00"`],
    [
      'numbers and duplicates',
      '{"a":1.10,"a":12345678901234567890}',
      '{"a":1.10,"a":12345678901234567890}',
    ],
  ])('of %s', (_name, text, kept) => {
    expect(storable(text)).toBe(kept);
  });

  test('is the same JSON but for what is replaced', () => {
    const odd = fc.string({
      unit: fc.constantFrom('\0', '\\', '"', 'u', '0', 'd', '8', '\ud83d', '\ude00', 'é'),
    });
    fc.assert(
      fc.property(fc.array(odd), (texts) => {
        const text = storable(JSON.stringify(texts));
        expect(text).not.toMatch(/[\0]/);
        const cleaned = texts.map((each) => each.replaceAll('\0', '\uFFFD').toWellFormed());
        expect(JSON.parse(text)).toEqual(cleaned);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a payload', () => {
  const nest = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

  test('of 500 levels is kept as JSON, a deeper one as its text; both are read', () => {
    for (const depth of [1, 500]) expect(readPayload(nest(depth)).text).toBe(nest(depth));
    for (const depth of [501, 200_000]) {
      const { json, text } = readPayload(nest(depth));
      expect(JSON.parse(text)).toBe(nest(depth));
      expect(Array.isArray(json)).toBe(true);
      expect(Array.isArray(storedPayload(text))).toBe(true);
    }
  });

  test('counts no brackets in text, and none beside each other', () => {
    const wide = `[${Array.from({ length: 2000 }, () => '{"a":["[[{{\\"["]}').join()}]`;
    expect(readPayload(wide).text).toBe(wide);
    const text = JSON.stringify({ text: '['.repeat(2000) });
    expect(readPayload(text).text).toBe(text);
  });

  test('has the id that was sent, whatever is kept of it', () => {
    const { json, text } = readPayload('{"id":"evt_\\u0000","a":"\\u0000"}');
    expect(json).toEqual({ id: 'evt_\0', a: '\uFFFD' });
    expect(text).toBe('{"id":"evt_\uFFFD","a":"\uFFFD"}');
  });

  test('that has been removed is none', () => {
    expect(storedPayload(null)).toBeNull();
    expect(storedPayload('{"id":"evt_1"}')).toEqual({ id: 'evt_1' });
  });

  test.each(['', '{', '\uFEFF', "{'a':1}", '[1,]', 'NaN'])('%j is no JSON', (text) => {
    expect(() => readPayload(text)).toThrow(SyntaxError);
  });
});

describe('a key', () => {
  test('stays as it is up to 255 characters', () => {
    for (const text of ['evt_1', 'é😀', 'x'.repeat(255)]) expect(asKey(text)).toBe(text);
  });

  test('that had to be changed is short, clean and nobody else’s', () => {
    const texts = [
      'evt\0',
      'evt\n',
      'evt\ud800',
      'x'.repeat(256),
      'x'.repeat(257),
      '😀'.repeat(300),
    ];
    const keys = texts.map(asKey);
    expect(new Set([...keys, 'evt\uFFFD']).size).toBe(texts.length + 1);
    for (const key of keys) {
      expect(key).toMatch(/^[^\p{Cc}]{1,255}$/u);
      expect(key.isWellFormed()).toBe(true);
    }
  });
});
