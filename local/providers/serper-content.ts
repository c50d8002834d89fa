import { hash } from 'node:crypto';

const trades = 'logistics,manufacturing,software,health care,energy,retail'.split(',');
const events = 'opens a new site,reports a strong quarter,announces a partnership'.split(',');
const sites = 'newsroom,careers,about,profile,investors,press'.split(',');

const pick = (list: string[], at: number): string => list[at % list.length] ?? '';

const slugOf = (text: string) => {
  const ascii = text
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/[^a-z0-9]+/g, '-');
  return ascii.replaceAll(/^-+|-+$/g, '').slice(0, 40) || 'result';
};

/** Whom the query is about: its quoted part, or its leading capitalised words, or all of it. */
function subjectOf(query: string): { name: string; looksLikeCompany: boolean } {
  const quoted = /["“]([^"”]{2,80})["”]/.exec(query)?.[1];
  if (quoted) return { name: quoted.trim(), looksLikeCompany: true };
  const capital = /^(?:[\p{Lu}\d][^\s,;:|]*)(?:\s+(?:[\p{Lu}\d&][^\s,;:|]*|of|the|and|de))*/u;
  const leading = capital.exec(query.trim())?.[0].replace(/\s+(?:of|the|and|de)$/, '');
  const looksLikeCompany = leading !== undefined && leading.length > 1;
  return { name: looksLikeCompany ? leading : query.trim().slice(0, 80), looksLikeCompany };
}

/** What is made up about a subject. One digest per query: load runs make a thousand a second. */
export function factsOf(query: string) {
  const { name, looksLikeCompany } = subjectOf(query);
  // Stands in every link, so that a result names its row.
  const ref = hash('sha256', query, 'hex').slice(0, 8);
  const number = Number.parseInt(ref, 16);
  const trade = pick(trades, number);
  const staff = 50 + ((number >>> 4) % 20_000);
  return { name, looksLikeCompany, slug: slugOf(name), ref, number, trade, staff };
}
type Facts = ReturnType<typeof factsOf>;

/** The results for a query: the same query always gets the same ones. */
export function organicFor(
  { name, slug, ref, number, trade, staff }: Facts,
  num: number,
  page: number,
) {
  return Array.from({ length: num }, (_, index) => {
    const rank = (page - 1) * num + index + 1;
    const event = pick(events, (number >>> 12) + rank * 3);
    const site = pick(sites, (number >>> 16) + rank * 5);
    const host = rank === 1 ? `www.${slug}.example` : `${site}.${slug}-${rank}.example`;
    return {
      title: rank === 1 ? `${name} | Official site` : `${name} ${event}`,
      link: `https://${host}/${site}?ref=${ref}`,
      snippet: `${name} ${event}. The ${trade} specialist employs about ${staff} people.`,
      ...(rank % 3 === 2 ? { date: `${1 + (rank % 11)} days ago` } : {}),
      position: index + 1,
    };
  });
}

/** The box beside the results, for queries that look like a company. */
export const knowledgeGraphFor = ({ name, slug, trade, staff, number }: Facts) => ({
  title: name,
  type: `${trade.charAt(0).toUpperCase()}${trade.slice(1)} company`,
  website: `https://www.${slug}.example/`,
  description: `${name} works in ${trade} and employs about ${staff} people.`,
  descriptionSource: 'Encyclopaedia',
  descriptionLink: `https://encyclopaedia.example/wiki/${slug}`,
  attributes: { Founded: String(1880 + (number % 140)), 'Number of employees': String(staff) },
});
