import type { Research } from '../providers/research.ts';
import { foldName } from '../csv/columns.pure.ts';
import { oneLine } from '../shared/text.pure.ts';
import { isBlankName, isSalutation, withoutSalutation } from './blank-names.pure.ts';
import { isDomain, isSurelyCompany, likeness } from './company-name.pure.ts';
import { type Column, customerRank, type Role } from './header-roles.pure.ts';
import { companyPageName, type Email, emailsIn, siteHost } from './web-hosts.pure.ts';

export const longestQuery = 200;

/** Columns of unknown names that are looked at for a company. */
const mostUnknown = 100;

/** The columns of a header that play a part, by role; each list in the order of use. */
export type Roles = Record<Role, Column[]>;
export type Row = readonly string[];

export function rolesOf(columns: readonly Column[]): Roles {
  const roles: Roles = {
    company: [],
    site: [],
    email: [],
    first: [],
    particle: [],
    last: [],
    name: [],
    position: [],
    city: [],
    country: [],
    colleague: [],
    personal: [],
    other: [],
    unknown: [],
  };
  for (const column of columns.toSorted((a, b) => a.rank - b.rank)) roles[column.role].push(column);
  roles.unknown.splice(mostUnknown);
  return roles;
}

/** A cell on one line of at most 200 characters. */
export const cellOf = (row: Row, { index }: Column): string =>
  oneLine(row[index] ?? '', longestQuery);

const isSaid = (text: string): boolean => !isBlankName(text) && !isSalutation(text);

/** The first cell of a role that is no placeholder and no salutation; empty: there is none. */
const firstOf = (row: Row, columns: readonly Column[]): string =>
  columns.map((column) => cellOf(row, column)).find(isSaid) ?? '';

/** `FR` and `HR` are countries here, and no salutations. */
const countryOf = (row: Row, columns: readonly Column[]): string =>
  columns
    .map((column) => cellOf(row, column))
    .find((text) => isSaid(text) || /^[FH]R$/.test(text)) ?? '';

/** All names of people in a row, those of the list's owners too: none of them is shared with all. */
export const peopleIn = (roles: Roles, row: Row): string[] =>
  [roles.first, roles.last, roles.name, roles.colleague]
    .flat()
    .map((column) => cellOf(row, column))
    .filter((text) => text !== '');

/**
 * What a careful person would type: the company's name; else the domain of its site, its page on LinkedIn, the domain
 * of an e-mail address; else the person's whole name with what there is besides. Where the header names none of
 * these, the cells are looked at. Undefined: nothing tells who is meant.
 */
export function queryOf(roles: Roles, row: Row): Research | undefined {
  const people = peopleIn(roles, row);
  const emails = roles.email.flatMap((column) => emailsIn(cellOf(row, column)));
  return (
    ofCompany(roles.company, row, people) ??
    ofSite(roles.site, row, people) ??
    ofEmail(emails, people) ??
    ofShape(roles, row, people) ??
    ofPerson(roles, row, emails) ??
    (isKnown(roles) ? undefined : ofFirstCells(roles.unknown, row))
  );
}

function ofCompany(
  columns: readonly Column[],
  row: Row,
  people: readonly string[],
): Research | undefined {
  for (const column of columns) {
    const text = cellOf(row, column);
    if (!isSaid(text) || mayBePerson(text, column)) continue;
    // An address under "company" is a way to it, or to nobody.
    const found = isAddress(text)
      ? (ofAddress(text, people) ?? ofEmail(emailsIn(text), people))
      : ofName(text, people, column.isPlain);
    if (found) return found;
  }
  return undefined;
}

/** A customer of two words or more that nothing tells to be a company is looked for as a person. */
const mayBePerson = (text: string, { rank }: Column): boolean =>
  rank === customerRank && /\S\s+\S/.test(text) && !isNobody(text);

const isAddress = (text: string): boolean =>
  text.includes('@') || /^(?:https?:\/\/|www\.)|^\S+\.\p{L}{2,}\/\S/iu.test(text);

/** Undefined: a company that is called as the row's person is looked for as that person. */
function ofName(text: string, people: readonly string[], isPlain: boolean): Research | undefined {
  const scope = scopeOf(text, people, isPlain);
  return scope === 'none' ? undefined : { text, scope };
}

function ofSite(
  columns: readonly Column[],
  row: Row,
  people: readonly string[],
): Research | undefined {
  const cells = columns.map((column) => cellOf(row, column)).filter((text) => text !== '');
  const hosts = cells.map((text) => ofHost(siteHost(text), people));
  return hosts.find(Boolean) ?? cells.map((text) => ofPage(text, people)).find(Boolean);
}

const ofAddress = (text: string, people: readonly string[]): Research | undefined =>
  ofHost(siteHost(text), people) ?? ofPage(text, people);

function ofPage(text: string, people: readonly string[]): Research | undefined {
  const name = companyPageName(text);
  return name === undefined ? undefined : ofName(oneLine(name, longestQuery), people, false);
}

const ofHost = (host: string | undefined, people: readonly string[]): Research | undefined =>
  host === undefined ? undefined : { text: host, scope: scopeOf(host, people, false) };

/** A domain that holds the name of its only address may be that person's. */
function ofEmail(emails: readonly Email[], people: readonly string[]): Research | undefined {
  const own = emails.find(({ isMailbox }) => !isMailbox);
  return own && ofHost(own.host, [...people, own.local.replaceAll(/[._\d-]+/g, ' ')]);
}

const isKnown = (roles: Roles): boolean =>
  [roles.company, roles.site, roles.email, roles.first, roles.last, roles.name].some(
    (columns) => columns.length > 0,
  );

/** A company that stands under a name which says nothing, or under "name"; an address only where no name says anything. */
function ofShape(roles: Roles, row: Row, people: readonly string[]): Research | undefined {
  const cells = roles.unknown.map((column) => cellOf(row, column));
  const names = roles.name.map((column) => cellOf(row, column)).filter(isNobody);
  const company = [...names, ...cells].find(looksLikeCompany);
  if (company) {
    // Under "name" the company itself is what else would be taken for a person.
    const others = people.filter((name) => name !== company);
    return ofName(company, others, false);
  }
  if (isKnown(roles)) return undefined;
  const found = cells.map((text) => ofAddress(text, people)).find(Boolean);
  return found ?? ofEmail(cells.flatMap(emailsIn), people);
}

/** Surely a company where people stand too: "Anna & Tom Roe" is none. */
const isNobody = (text: string): boolean => isSurelyCompany(text.replaceAll('&', ' '), false);

const looksLikeCompany = (text: string): boolean =>
  text.length <= 60 &&
  text.split(/\s+/).length <= 6 &&
  !isBlankName(text) &&
  !isDomain(text) &&
  !/^\d/.test(text) &&
  isSurelyCompany(text, false);

/** What is too long for one part of a name, in scripts that have no blank between the parts. */
const unspaced =
  /^(?:\p{Script=Hangul}{3,}|(?=.*\p{Script=Han})[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]{4,})$/u;
/** An initial is no part, nor what stands in brackets. */
const isWholeName = (text: string): boolean => {
  const words = text.replaceAll(/\([^()]*\)/g, ' ').split(/\s+/);
  const part = /\p{L}.*\p{L}|\p{Script=Han}|\p{Script=Hangul}/u;
  return words.filter((word) => part.test(word)).length > 1 || unspaced.test(text);
};

/** The whole name of a row's person; one part of it, under whatever header, is nobody's. */
function personName(roles: Roles, row: Row): string {
  const part = (columns: readonly Column[]) => withoutSalutation(firstOf(row, columns));
  const parts = [part(roles.first), part(roles.particle), part(roles.last)];
  const [first = '', , last = ''] = parts;
  const isWide = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Hangul}/u.test(last);
  const whole = isWide ? [last, first] : parts;
  if (first !== '' && last !== '')
    return (sameName(first, last) ? [first] : whole).filter(Boolean).join(' ');
  const customers = roles.company.filter(({ rank }) => rank === customerRank);
  return [part(roles.name), part(customers)].find(isWholeName) ?? '';
}

/** Whether the first name already ends in the last one. */
const sameName = (first: string, last: string): boolean =>
  foldName(first).endsWith(` ${foldName(last)}`);

/** A whole name with what tells its bearer from others of that name. */
function ofPerson(roles: Roles, row: Row, emails: readonly Email[]): Research | undefined {
  const name = personName(roles, row);
  const given = [
    firstOf(row, roles.position),
    firstOf(row, roles.city) || countryOf(row, roles.country),
    emails[0]?.text ?? '',
  ].filter((text) => text !== '');
  const whole = name || soleName(roles, row);
  if (whole === '') return undefined;
  return { text: oneLine([whole, ...given].join(' '), longestQuery), scope: 'none' };
}

/** One word under `name`, in a list without companies and with nothing else of people: a place, a brand. */
function soleName(roles: Roles, row: Row): string {
  const { company, first, last, position, email, personal } = roles;
  if ([company, first, last, position, email, personal].some(({ length }) => length > 0)) return '';
  const text = firstOf(
    row,
    roles.name.filter(({ rank }) => rank === 1),
  );
  return withoutSalutation(text) === text ? text : '';
}

/** The first two cells with letters, of a file whose header says nothing. */
function ofFirstCells(columns: readonly Column[], row: Row): Research | undefined {
  const cells = columns
    .toSorted((a, b) => a.index - b.index)
    .map((column) => cellOf(row, column))
    .filter((text) => /\p{L}/u.test(text) && isSaid(text))
    .filter((text) => !text.includes('@') && !/^https?:/i.test(text));
  const text = oneLine(cells.slice(0, 2).join(' '), longestQuery);
  return text === '' ? undefined : { text, scope: 'none' };
}

/** Who may share what is found of a text that is searched for in a row with these people. */
export function scopeOf(
  text: string,
  people: readonly string[],
  isPlain: boolean,
): Research['scope'] {
  const like = likeness(text, people);
  // What has an @ is an e-mail address, or a person's account.
  if (like === 'same' || text.includes('@')) return 'none';
  return like === 'none' && isSurelyCompany(text, isPlain) ? 'company' : 'user';
}
