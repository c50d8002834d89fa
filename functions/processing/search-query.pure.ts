import type { Research } from '../providers/research.ts';
import { columnNames, foldName } from '../csv/columns.pure.ts';
import { oneLine } from '../shared/text.pure.ts';
import { isBlankName, isSalutation, withoutSalutation } from './blank-names.pure.ts';
import { isDomain, isSurelyCompany, likeness } from './company-name.pure.ts';
import { type Column, columnsOf, customerRank, type Role } from './header-roles.pure.ts';
import type { ResearchOption } from './job-options.ts';
import { placeholdersOf } from './prompt.pure.ts';
import { companyPageName, type Email, emailsIn, siteHost } from './web-hosts.pure.ts';

export const longestQuery = 200;
export const noCompany = 'no company in this row';
export const researchIsOff = 'research is off';

/** Columns of unknown names that are looked at for a company. */
const mostUnknown = 100;

export type PlannedQuery = { query: Research; note?: never } | { query: undefined; note: string };

/** How the rows of a file are searched for. */
export type ResearchPlan = {
  /** Columns that searches are made of, by the names of `columnNames`, in the order of use. */
  columns: string[];
  /** Undefined: nothing is searched for, and `note` says why. */
  query: (row: readonly string[]) => PlannedQuery;
};

/** The columns of a header that play a part, by role; each list in the order of use. */
type Roles = Record<Role, Column[]>;
type Row = readonly string[];

const used: Role[] = [
  'company',
  'site',
  'email',
  'first',
  'particle',
  'last',
  'name',
  'position',
  'city',
  'country',
];

const plans = new WeakMap<Row, Map<string, ResearchPlan>>();

/** A header's plan is made once for each option: its arrays are told apart by identity. */
export function planResearch(header: Row, option: ResearchOption | undefined): ResearchPlan {
  const ofHeader = plans.get(header) ?? new Map<string, ResearchPlan>();
  plans.set(header, ofHeader);
  const key = option === false ? 'off' : option ? `query ${option.query}` : 'header';
  const plan = ofHeader.get(key) ?? makePlan(header, option);
  ofHeader.set(key, plan);
  return plan;
}

function makePlan(header: Row, option: ResearchOption | undefined): ResearchPlan {
  if (option === false)
    return { columns: [], query: () => ({ query: undefined, note: researchIsOff }) };
  const columns = columnsOf(header);
  const roles = rolesOf(columns);
  if (option) return planTemplate(header, option.query, { columns, roles });
  const names = columnNames(header);
  return {
    columns: used.flatMap((role) => roles[role].map(({ index }) => names[index] ?? '')),
    query: (row) => planned(queryOf(roles, row)),
  };
}

function rolesOf(columns: readonly Column[]): Roles {
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
    other: [],
    unknown: [],
  };
  for (const column of columns.toSorted((a, b) => a.rank - b.rank)) roles[column.role].push(column);
  roles.unknown.splice(mostUnknown);
  return roles;
}

const planned = (query: Research | undefined): PlannedQuery =>
  query ? { query } : { query: undefined, note: noCompany };

const cellOf = (row: Row, { index }: Column): string => oneLine(row[index] ?? '', longestQuery);

const isSaid = (text: string): boolean => !isBlankName(text) && !isSalutation(text);

/** The first cell of a role that is no placeholder and no salutation; empty: there is none. */
const firstOf = (row: Row, columns: readonly Column[]): string =>
  columns.map((column) => cellOf(row, column)).find(isSaid) ?? '';

/** All names of people in a row, those of the list's owners too: none of them is shared with all. */
const peopleIn = (roles: Roles, row: Row): string[] =>
  [roles.first, roles.last, roles.name, roles.colleague]
    .flat()
    .map((column) => cellOf(row, column))
    .filter((text) => text !== '');

/**
 * What a careful person would type: the company's name; else the domain of its site, its page on LinkedIn, the domain
 * of an e-mail address; else the person's whole name with what there is besides. Where the header names none of
 * these, the cells are looked at. Undefined: nothing tells who is meant.
 */
function queryOf(roles: Roles, row: Row): Research | undefined {
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
  rank === customerRank && /\S\s+\S/.test(text) && !isSurelyCompany(text, false);

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
  const named = [...roles.name.map((column) => cellOf(row, column)), ...cells];
  const company = named.find((text) => looksLikeCompany(text));
  if (company) {
    // Under "name" the company itself is what else would be taken for a person.
    const others = people.filter((name) => name !== company);
    return ofName(company, others, false);
  }
  if (isKnown(roles)) return undefined;
  const found = cells.map((text) => ofAddress(text, people)).find(Boolean);
  return found ?? ofEmail(cells.flatMap(emailsIn), people);
}

const looksLikeCompany = (text: string): boolean =>
  text.length <= 60 &&
  text.split(/\s+/).length <= 6 &&
  !isBlankName(text) &&
  !isDomain(text) &&
  !/^\d/.test(text) &&
  isSurelyCompany(text, false);

/** Scripts in which a name has no blank between its parts. */
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]{2,}$/u;

function personName(roles: Roles, row: Row): string {
  const part = (columns: readonly Column[]) => withoutSalutation(firstOf(row, columns));
  const parts = [part(roles.first), part(roles.particle), part(roles.last)];
  const [first = '', , last = ''] = parts;
  const isWide = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Hangul}/u.test(last);
  const whole = isWide ? [last, first] : parts;
  if (first !== '' && last !== '')
    return (sameName(first, last) ? [first] : whole).filter(Boolean).join(' ');
  const customers = roles.company.filter(({ rank }) => rank === customerRank);
  for (const candidate of [part(roles.name), part(customers), first, last]) {
    if (/\p{L}[^\s]*\s+\S*\p{L}/u.test(candidate) || unspaced.test(candidate)) return candidate;
  }
  return '';
}

/** Whether the first name already ends in the last one. */
const sameName = (first: string, last: string): boolean =>
  foldName(first).endsWith(` ${foldName(last)}`);

/** A whole name with what tells its bearer from others of that name; a first name alone is nobody's. */
function ofPerson(roles: Roles, row: Row, emails: readonly Email[]): Research | undefined {
  const name = personName(roles, row);
  const given = [
    firstOf(row, roles.position),
    firstOf(row, roles.city) || firstOf(row, roles.country),
    emails[0]?.text ?? '',
  ].filter((text) => text !== '');
  const whole = name || soleName(roles, row);
  if (whole === '') return undefined;
  return { text: oneLine([whole, ...given].join(' '), longestQuery), scope: 'none' };
}

/** One word under `name`, in a list that has nothing else of people: a company, a place, a brand. */
function soleName(roles: Roles, row: Row): string {
  const isOfPeople = [roles.first, roles.last, roles.position, roles.email].some(
    (columns) => columns.length > 0,
  );
  const plain = roles.name.filter(({ rank }) => rank === 1);
  return isOfPeople ? '' : firstOf(row, plain);
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

function scopeOf(text: string, people: readonly string[], isPlain: boolean): Research['scope'] {
  const like = likeness(text, people);
  // What has an @ is an e-mail address, or a person's account.
  if (like === 'same' || text.includes('@')) return 'none';
  return like === 'none' && isSurelyCompany(text, isPlain) ? 'company' : 'user';
}

const inTemplate = /\{\{([^{}]*)\}\}/g;
const companyRoles: Role[] = ['company', 'site', 'city', 'country'];

/** A template's cells come as they stand, but for placeholders; what they hold names no other column. */
function planTemplate(
  header: Row,
  template: string,
  { columns, roles }: { columns: readonly Column[]; roles: Roles },
): ResearchPlan {
  const names = columnNames(header);
  const byName = new Map(names.map((name, index) => [foldName(name), columns[index]]));
  const asked = placeholdersOf(template).flatMap((name) => byName.get(foldName(name)) ?? []);
  const isOfCompany = asked.length > 0 && asked.every(({ role }) => companyRoles.includes(role));
  const alone = asked.length === 1 && /^\{\{[^{}]*\}\}$/.test(template) ? asked[0] : undefined;
  const cellNamed = (row: Row, name: string): string => {
    const column = byName.get(foldName(name));
    const text = column ? cellOf(row, column) : '';
    return isBlankName(text) ? '' : text;
  };
  const scopeIn = (text: string, row: Row): Research['scope'] => {
    if (!isOfCompany) return 'none';
    const scope = scopeOf(text, peopleIn(roles, row), alone?.isPlain ?? false);
    return alone?.role === 'company' || scope === 'none' ? scope : 'user';
  };
  const query = (row: Row): Research | undefined => {
    if (asked.length > 0 && asked.every(({ index }) => cellNamed(row, names[index] ?? '') === ''))
      return undefined;
    const filled = template.replace(inTemplate, (_, name: string) => cellNamed(row, name));
    const text = oneLine(filled.replaceAll(/\s+/g, ' '), longestQuery);
    return text === '' ? undefined : { text, scope: scopeIn(text, row) };
  };
  return {
    columns: [...new Set(asked.map(({ index }) => names[index] ?? ''))],
    query: (row) => planned(query(row)),
  };
}

/** The query of one row by the header alone. */
export const searchQuery = (header: Row, row: Row): Research | undefined =>
  planResearch(header, undefined).query(row).query;
