import { hash } from 'node:crypto';

export type Organic = {
  title: string;
  link: string;
  snippet: string;
  date?: string;
  position: number;
};
export type KnowledgeGraph = {
  title: string;
  type: string;
  website: string;
  description: string;
  attributes: Record<string, string>;
};

const trades = ['logistics', 'manufacturing', 'software', 'health care', 'energy', 'retail'];
const events = [
  'opens a new site and hires',
  'reports a strong quarter',
  'names a new head of operations',
  'starts a pilot with regional partners',
  'publishes its sustainability report',
  'updates its customer portal',
  'announces a partnership',
  'shares its plans for next year',
];
const sites = ['newsroom', 'careers', 'about', 'profile', 'investors', 'blog', 'press', 'overview'];

const pick = (list: string[], at: number): string => list[at % list.length] ?? '';

const slugOf = (text: string) =>
  text
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40) || 'result';

/** First eight hex digits of the query's SHA-256: stands in every link, so a result names its row. */
export const refOf = (text: string): string => hash('sha256', text, 'hex').slice(0, 8);

/** Whom the query is about: its quoted part, or its leading capitalised words, or all of it. */
export function subjectOf(query: string): { name: string; looksLikeCompany: boolean } {
  const quoted = /["“]([^"”]{2,80})["”]/.exec(query)?.[1];
  if (quoted) return { name: quoted.trim(), looksLikeCompany: true };
  const capital = /^(?:[\p{Lu}\d][^\s,;:|]*)(?:\s+(?:[\p{Lu}\d&][^\s,;:|]*|of|the|and|de))*/u;
  const leading = capital.exec(query.trim())?.[0].replace(/\s+(?:of|the|and|de)$/, '');
  const form = /\b(?:inc|corp|llc|ltd|gmbh|ag|plc|company|group|holdings|s\.?a)\b/i.test(query);
  if (leading && leading.length > 1) return { name: leading, looksLikeCompany: true };
  return { name: query.trim().slice(0, 80), looksLikeCompany: form };
}

/** What is made up about a subject. One digest per query: load runs make a thousand a second. */
function factsOf(query: string) {
  const { name, looksLikeCompany } = subjectOf(query);
  const ref = refOf(query);
  const number = Number.parseInt(ref, 16);
  const trade = pick(trades, number);
  const staff = 50 + ((number >>> 4) % 20_000);
  const founded = 1880 + ((number >>> 8) % 140);
  return { name, looksLikeCompany, slug: slugOf(name), ref, number, trade, staff, founded };
}
type Facts = ReturnType<typeof factsOf>;

/** The results for a query: the same query always gets the same ones. */
export function organicFor(query: string, num: number, page: number): Organic[] {
  const facts = factsOf(query);
  const { name, slug, ref, number } = facts;
  return Array.from({ length: num }, (_, index) => {
    const rank = (page - 1) * num + index + 1;
    const event = pick(events, (number >>> 12) + rank * 3);
    const site = pick(sites, (number >>> 16) + rank * 5);
    const host = rank === 1 ? `www.${slug}.example` : `${site}.${slug}-${rank}.example`;
    return {
      title: rank === 1 ? `${name} | Official site` : `${name} ${event}`,
      link: `https://${host}/${site}?ref=${ref}`,
      snippet: `${name} ${event}. ${sentence(facts, rank)}`,
      ...(rank % 3 === 2 ? { date: `${1 + (rank % 11)} days ago` } : {}),
      position: index + 1,
    };
  });
}

function sentence({ name, staff, trade }: Facts, rank: number): string {
  if (rank % 3 === 1) return `The ${trade} specialist employs about ${staff} people.`;
  if (rank % 3 === 2) return `Customers of ${name} value its service in ${trade}.`;
  return `Its team of ${staff} works on ${trade} projects in several countries.`;
}

/** The box beside the results, for queries that look like a company; else undefined. */
export function knowledgeGraphFor(query: string): KnowledgeGraph | undefined {
  const { name, looksLikeCompany, slug, trade, staff, founded } = factsOf(query);
  if (!looksLikeCompany) return undefined;
  return {
    title: name,
    type: `${trade.charAt(0).toUpperCase()}${trade.slice(1)} company`,
    website: `https://www.${slug}.example/`,
    description: `${name} works in ${trade} and employs about ${staff} people.`,
    attributes: { Founded: String(founded), 'Number of employees': String(staff) },
  };
}
