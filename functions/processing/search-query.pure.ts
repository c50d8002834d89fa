import type { Research } from '../providers/research.ts';
import { oneLine } from '../shared/text.pure.ts';

const companyNames =
  /^(company|organi[sz]ation|employer|account|business|firm|security)([ _-]?name)?$/i;
const personNames = /^(full[ _-]?name|contact([ _-]?name)?|lead|name|first[ _-]?name)$/i;
const sites = /^(website|domain|url|company[ _-]?(website|domain|url))$/i;

const longestQuery = 200;

function cellUnder(
  pattern: RegExp,
  header: readonly string[],
  row: readonly string[],
): string | undefined {
  for (const [i, name] of header.entries()) {
    const text = pattern.test(name.trim()) ? oneLine(row[i] ?? '', longestQuery) : '';
    if (text !== '') return text;
  }
  return undefined;
}

/**
 * What to search the web for: the company, else its site, else the person, else the first cells.
 * Only what is found for a company or a site may be shared. Undefined: the row is empty.
 */
export function searchQuery(
  header: readonly string[],
  row: readonly string[],
): Research | undefined {
  const company = cellUnder(companyNames, header, row) ?? cellUnder(sites, header, row);
  if (company !== undefined) return { text: company, cacheable: true };
  const first = row.filter((cell) => cell.trim() !== '').slice(0, 2);
  const text = cellUnder(personNames, header, row) ?? oneLine(first.join(' '), longestQuery);
  return text === '' ? undefined : { text, cacheable: false };
}
