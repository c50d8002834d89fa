import { expect, test } from 'vitest';
import { noCompany, planResearch } from '../../functions/processing/search-query.pure.ts';

/** What is asked for the row `cells` under `header`, both with `|` between their cells; null: nothing. */
function asked(header: string, cells: string) {
  const row = cells.split('|').map((cell) => cell.trim());
  const names = header.split('|').map((name) => name.trim());
  return planResearch(names, undefined).query(row).query ?? null;
}

test.each([
  ['First Name', 'Jane'],
  ['Vorname | Anrede', 'Jane | Frau'],
  ['名', '太郎'],
  ['First Name | City', 'Jane | Berlin'],
  ['Contact', 'Jane'],
  ['Name | Company', 'Jane | N/A'],
  ['Full Name | Company', 'Jane | N/A'],
  ['Name | Phone', 'Jane | 123'],
  ['Nombre | Teléfono', 'María | +549115'],
  ['氏名 | 電話番号', '鈴木 | 03'],
  ['Name | Company Name', 'Frau Jana | N/A'],
  ['Anrede | Name | Ort', 'Frau | Müller | Köln'],
  ['Name | Ort', 'Herr Müller | Köln'],
  ['Name | Firma', 'Müller |'],
  ['Name | Firma', 'Familie Müller |'],
  ['Name | Firma', 'Herr Dr. Müller |'],
  ['Name | Firma', 'Prof. Dr. Müller |'],
  ['Name | Company', 'Doe, PhD |'],
  ['Nom | Société', 'M. Dupont |'],
  ['担当者名 | 会社名', '鈴木 |'],
  ['担当者名 | 会社名', '佐々木 |'],
  ['担当者名 | 会社名', '鈴木 様 |'],
  ['担当者名 | 会社名', '佐々木様 |'],
  ['担当者名 | 会社名', 'ジェーン |'],
  ['이름 | 회사명', '민수 |'],
  ['이름 | 회사명', '김 님 |'],
  ['姓 | 名 | 会社', '| 太郎 |'],
  ['姓 | 名 | 会社', '長谷川原 | |'],
  ['First Name | Last Name | Company', 'Anna Lena | |'],
  ['First Name | Last Name | Company', '| van der Berg | -'],
  ['First Name | Last Name | Company', 'Frau | Vogel | -'],
  ['Nachname | Firma', 'van der Berg |'],
  ['Name | Company', 'Mr & Mrs Smith |'],
  ['Name | Firma', 'Herr und Frau Müller |'],
  ['Nom | Société', 'M. et Mme Dupont |'],
  ['Name | Firma', 'Herr/Frau Müller |'],
  ['Name | Company', 'Jane (CTO) |'],
  ['Name | Company', 'Jane D. |'],
  ['Name | Company', 'J Doe |'],
])('under %j no part of a name is asked for: %j', (header, cells) => {
  expect(asked(header, cells)).toBeNull();
});

test.each([
  ['Name | Company', 'Frau Dr. Jana Vogel | -', 'Jana Vogel'],
  ['Name | Société', 'M. Jean Dupont |', 'Jean Dupont'],
  ['Name | Firma', 'Vogel, Jana |', 'Vogel, Jana'],
  ['Name | Firma', 'Herr und Frau Tim Kurz |', 'Tim Kurz'],
  ['Name | Company', 'J. Edgar Doe |', 'J. Edgar Doe'],
  ['Name | Company', "Tom O'Hara |", "Tom O'Hara"],
  ['姓名 | 公司', '李 伟 |', '李 伟'],
  ['Name | Company', 'Иван Петров |', 'Иван Петров'],
  ['First Name | Last Name | Company', 'Jane | Doe | N/A', 'Jane Doe'],
  ['担当者名 | 会社名', '鈴木一郎 |', '鈴木一郎'],
  ['担当者名 | 会社名', '鈴木一郎様 |', '鈴木一郎'],
  ['이름 | 회사명', '김민수 |', '김민수'],
  ['姓 | 名 | 会社', '山田 | 太郎 |', '山田 太郎'],
  ['Vorname | Nachname | Land', 'Ana | Horvat | HR', 'Ana Horvat HR'],
  ['Vorname | Nachname | Land', 'Ana | Horvat | Frau', 'Ana Horvat'],
])('under %j a whole name is asked for: %j', (header, cells, text) => {
  expect(asked(header, cells)).toEqual({ text, scope: 'none' });
});

test.each(['Nordlicht', 'Blue Heron'])(
  'in a list of names and places %j may be anything',
  (name) => {
    expect(asked('Name | City', `${name} | Kiel`)?.text).toBe(`${name} Kiel`);
  },
);

test('a template that comes to a salutation asks nothing', () => {
  const { query } = planResearch(['Anrede', 'Name'], { query: '{{Anrede}} {{Name}}' });
  expect(query(['Frau', '-'])).toEqual({ query: undefined, note: noCompany });
  expect(query(['Frau', 'Jana Vogel']).query?.text).toBe('Frau Jana Vogel');
});
