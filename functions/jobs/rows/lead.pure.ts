const companyNames =
  /^(company|organi[sz]ation|employer|account|business|firm|security)([ _-]?name)?$/i;
const personNames = /^(full[ _-]?name|contact([ _-]?name)?|lead|name|first[ _-]?name)$/i;
const sites = /^(website|domain|url|company[ _-]?(website|domain|url))$/i;

const longestCell = 500;
const longestQuery = 200;

/** Control characters would let a cell pose as another line of the prompt. */
// oxlint-disable-next-line no-control-regex -- those are the very characters to remove
const control = /[\u0000-\u001f\u007f\u0080-\u009f\u2028\u2029]+/g;

export const oneLine = (text: string, longest = longestCell): string =>
  text.replace(control, ' ').trim().slice(0, longest);

function cellUnder(
  pattern: RegExp,
  header: readonly string[],
  row: readonly string[],
): string | undefined {
  const index = header.findIndex(
    (name, i) => pattern.test(name.trim()) && (row[i] ?? '').trim() !== '',
  );
  return index < 0 ? undefined : row[index];
}

/** What to search the web for: the company, else its site, else the person, else the first cells. */
export function searchQuery(header: readonly string[], row: readonly string[]): string {
  const subject =
    cellUnder(companyNames, header, row) ??
    cellUnder(sites, header, row) ??
    cellUnder(personNames, header, row) ??
    row
      .filter((cell) => cell.trim() !== '')
      .slice(0, 2)
      .join(' ');
  return oneLine(subject, longestQuery);
}

/** A row as `column: value` lines, empty cells left out. */
export const leadLines = (header: readonly string[], row: readonly string[]): string =>
  header
    .map((name, i) => [oneLine(name, 80), oneLine(row[i] ?? '')] as const)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
