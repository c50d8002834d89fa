import * as list from './header-words.pure.ts';

const roles = {
  company: 'a company, by its name',
  site: 'its site or domain, or its page on LinkedIn or Xing',
  email: 'an address of the person that a row is about',
  first: 'the first name',
  particle: 'what stands between the names',
  last: 'the last name',
  name: 'a whole name',
  position: 'what that person does',
  city: 'where',
  country: 'where',
  /** Somebody whom a row is not about. */
  colleague: 'nobody to search for',
  personal: 'of people and never part of a query: a salutation, a telephone',
  other: 'known, and never part of a query',
  unknown: 'unknown',
};
export type Role = keyof typeof roles;

/** The rank of a company's columns that name customers, who may be people. */
export const customerRank = 3;

/** `rank`: columns of one role are asked in its order, then as they stand. `isPlain`: nobody writes a person there. */
export type Column = { index: number; role: Role; rank: number; isPlain: boolean };

type Read = Omit<Column, 'index'>;
const as = (role: Role, rank = 0, isPlain = false): Read => ({ role, rank, isPlain });

/** Words that say whose name it is, and not which. */
const bearers = new Set(
  'contact contacts lead leads person people customer client primary your'.split(' '),
);

function companyColumn(words: readonly string[]): Read | undefined {
  const isOne = (word: string) =>
    list.companyWords.has(word) || list.accountWords.has(word) || list.customerWords.has(word);
  const isTrade = words.some((word) => list.tradeWords.has(word));
  const isCompany = words.some(isOne) || (isTrade && words.length > 1);
  const isNothingElse = words.every(
    (word) =>
      isOne(word) ||
      /^\d$/.test(word) ||
      list.companyQualifiers.has(word) ||
      list.tradeWords.has(word),
  );
  if (!isCompany || !isNothingElse) return undefined;
  // Of a "company contact" the contact is meant, of a "contact company" the company.
  const last = words.findLast((word) => isOne(word) || bearers.has(word)) ?? '';
  if (bearers.has(last) && !isOne(last)) return undefined;
  const strong = words.filter((word) => list.companyWords.has(word));
  // Beside a company an organization may be a department.
  const isVague = strong.every((word) => word.startsWith('org'));
  if (strong.length > 0) return as('company', isTrade ? 2 : Number(isVague) / 2, true);
  if (words.some((word) => list.accountWords.has(word))) return as('company', isTrade ? 2 : 1);
  return isTrade ? as('company', 2, true) : as('company', customerRank);
}

/** May be a salutation as well. */
const isTitle = (phrase: string): boolean => /^(?:title|tit\p{Ll}{1,3}|タイトル)$/u.test(phrase);

function personColumn(words: readonly string[]): Read | undefined {
  const whole = words.join(' ');
  const bare = words.filter((word) => !bearers.has(word)).join(' ');
  for (const phrase of [whole, bare]) {
    if (list.firstNames.has(phrase)) return as('first');
    if (list.lastNames.has(phrase)) return as('last');
    if (list.nameParticles.has(phrase)) return as('particle');
    if (list.positions.has(phrase)) return as('position', isTitle(phrase) ? 1 : 0);
  }
  const isBearer =
    words.every((word) => bearers.has(word) || word === 'deal') &&
    /\b(?:contact|lead|person)/.test(whole);
  if (isBearer || list.contactNames.has(whole)) return as('name');
  if (list.plainNames.has(bare)) return as('name', bare === whole ? 1 : 0);
  const isCompanys = words.every(
    (word) => bearers.has(word) || list.companyWords.has(word) || list.companyQualifiers.has(word),
  );
  return isCompanys && words.some((word) => bearers.has(word)) ? as('name', 1) : undefined;
}

function easternColumn(name: string): Read | undefined {
  if (!/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(name))
    return undefined;
  const text = list.foldText(name.slice(0, 200)).replaceAll(/\s/g, '');
  const { eastern } = list;
  if (eastern.first.test(text)) return as('first');
  if (eastern.last.test(text)) return as('last');
  if (eastern.company.test(text)) return as('company', 0, true);
  if (eastern.account.test(text)) return as('company', 1);
  if (eastern.customer.test(text)) return as('company', customerRank);
  if (eastern.name.test(text)) return as('name');
  if (eastern.site.test(text)) return as('site', 1);
  if (eastern.email.test(text)) return as('email');
  if (eastern.city.test(text)) return as('city');
  if (eastern.country.test(text)) return as('country');
  if (eastern.phone.test(text)) return as('personal');
  return eastern.other.test(text) ? as('other') : undefined;
}

function readName(name: string): Read {
  const words = list.headerWords(name);
  const has = (set: ReadonlySet<string>) => words.some((word) => set.has(word));
  if (has(list.colleagueWords)) return as('colleague');
  if (words.every((word) => list.salutationWords.has(word))) return as('personal');
  const named = companyColumn(words) ?? personColumn(words) ?? easternColumn(name);
  if (named) return named;
  const joined = words.join('');
  if (list.socialName.test(joined)) return as('other');
  // A person's page is none of the company's.
  const isPersons = words.some((word) => bearers.has(word) || word === 'profile' || word === 'bio');
  if (/linkedin|xing/.test(joined)) return isPersons ? as('other') : as('site', 3);
  const isPrivate = has(new Set(['private', 'privat', 'personal', 'home', 'secondary', 'other']));
  // "E-mail Address" is one, "E-mail Type" is none.
  const isOther = words.some((word) => list.otherWords.has(word) && word !== 'address');
  if (has(list.emailWords)) {
    if (has(list.siteWords)) return as('site', 2);
    return isOther ? as('other') : as('email', isPrivate ? 1 : 0);
  }
  if (has(list.cityWords) && !isOther) return as('city', isPrivate ? 1 : 0);
  if (has(list.countryWords) && !isOther) return as('country', isPrivate ? 1 : 0);
  if (has(list.salutationWords)) return as('personal');
  if (has(list.phoneWords)) return has(list.companyWords) ? as('other') : as('personal');
  if (has(list.otherWords)) return as('other');
  return has(list.siteWords) ? as('site', joined === 'url' ? 1 : 0) : as('unknown');
}

/**
 * What the columns of a file hold, by their names. Beside a first name `Name` or `Nom` is the last one, beside a
 * last name `Nombre` or `Nome` is the first; alone, in a list of companies, they name the company.
 */
export function columnsOf(header: readonly string[]): Column[] {
  const columns = header.map((name, index) => ({ index, ...readName(name) }));
  const isThere = (role: Role) => columns.some((column) => column.role === role);
  const plain = columns.find(({ role, index }) => role === 'name' && isBareName(header[index]));
  if (!plain) return columns;
  if (isThere('first') && !isThere('last')) plain.role = 'last';
  else if (isThere('last') && !isThere('first')) plain.role = 'first';
  else if (!isThere('company') && isOfCompanies(header, columns)) {
    plain.role = 'company';
    plain.rank = 4;
  }
  return columns;
}

const bareNames = new Set(['name', 'nom', 'nombre', 'nome', 'naam', 'nominativo', '名称']);
const isBareName = (name: string | undefined): boolean =>
  bareNames.has(list.headerWords(name ?? '').join(' '));

/** Whether rows have what registers of companies have, and nothing that a person has. */
function isOfCompanies(header: readonly string[], columns: readonly Column[]): boolean {
  const isPersonal = columns.some(
    ({ role, rank }) =>
      ['first', 'last', 'position'].includes(role) || (role === 'name' && rank === 0),
  );
  const isSaluted = header.some((name) =>
    list.headerWords(name).some((word) => list.salutationWords.has(word)),
  );
  const isRegistered = header.some((name) =>
    list.headerWords(name).some((word) => list.registerWords.has(word)),
  );
  return isRegistered && !isPersonal && !isSaluted;
}
