import type { Research } from '../providers/research.ts';
import { columnNames, foldName } from '../csv/columns.pure.ts';
import { oneLine } from '../shared/text.pure.ts';
import { isBlankName, isSalutation } from './blank-names.pure.ts';
import { type Column, columnsOf, type Role } from './header-roles.pure.ts';
import type { ResearchOption } from './job-options.ts';
import { placeholdersOf } from './prompt.pure.ts';
import {
  cellOf,
  longestQuery,
  peopleIn,
  queryOf,
  type Roles,
  rolesOf,
  type Row,
  scopeOf,
} from './row-query.pure.ts';

export const noCompany = 'no company in this row';
export const researchIsOff = 'research is off';

export type PlannedQuery = { query: Research; note?: never } | { query: undefined; note: string };

/** How the rows of a file are searched for. */
export type ResearchPlan = {
  /** Columns that searches are made of, by the names of `columnNames`, in the order of use. */
  columns: string[];
  /** Undefined: nothing is searched for, and `note` says why. */
  query: (row: readonly string[]) => PlannedQuery;
};

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

/** Where somebody is searched for as a person, and only then, these tell them from others of the name. */
const ofPeople: Role[] = ['position', 'city', 'country'];
const hasPeople = (roles: Roles): boolean =>
  roles.first.length + roles.last.length + roles.name.length > 0;

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
    columns: used
      .filter((role) => hasPeople(roles) || !ofPeople.includes(role))
      .flatMap((role) => roles[role].map(({ index }) => names[index] ?? '')),
    query: (row) => planned(queryOf(roles, row)),
  };
}

const planned = (query: Research | undefined): PlannedQuery =>
  query ? { query } : { query: undefined, note: noCompany };

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
    return text === '' || isSalutation(text) ? undefined : { text, scope: scopeIn(text, row) };
  };
  return {
    columns: [...new Set(asked.map(({ index }) => names[index] ?? ''))],
    query: (row) => planned(query(row)),
  };
}
