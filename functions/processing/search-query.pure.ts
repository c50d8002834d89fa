import type { Research } from '../providers/research.ts';
import { oneLine } from '../shared/text.pure.ts';
import { isDomain, isSurelyCompany, likeness } from './company-name.pure.ts';

const companyNames =
  /^(company|organi[sz]ation|employer|account|business|firm|security|firma|unternehmen|entreprise|société|empresa|azienda|bedrijf|会社名?|公司)([ _-]?name)?$/i;
/** Those under which nobody writes a person: an account may be one. */
const plainNames =
  /^(company|organi[sz]ation|employer|firm|firma|unternehmen|entreprise|société|empresa|azienda|bedrijf|会社名?|公司)/i;
const personNames = /^(full[ _-]?name|contact([ _-]?name)?|lead|name|first[ _-]?name)$/i;
/** All that may hold a person's name or a part of it. */
const anyNames =
  /^((full|first|last|middle|given|family|contact|lead|person|customer|owner)[ _-]?name|name|surname|contact|lead|person|owner|vorname|nachname|ansprechpartner|kontakt|nom|prénom|nombre|apellidos?|nome|sobrenome|cognome|voornaam|achternaam|naam|氏名|姓名?|名前?)$/i;
const sites = /^(website|domain|url|company[ _-]?(website|domain|url))$/i;

const longestQuery = 200;

type Cell = { name: string; text: string };

const cellsUnder = (pattern: RegExp, header: readonly string[], row: readonly string[]): Cell[] =>
  header.flatMap((given, i) => {
    const name = given.trim();
    const text = pattern.test(name) ? oneLine(row[i] ?? '', longestQuery) : '';
    return text === '' ? [] : [{ name, text }];
  });

/**
 * What to search the web for: the company, else its site, else the person, else the first cells. Undefined:
 * the row is empty. Its scope says who may share what is found: everybody that of what is surely a company,
 * the user alone that of what may be one, nobody that of a person.
 */
export function searchQuery(
  header: readonly string[],
  row: readonly string[],
): Research | undefined {
  const people = cellsUnder(anyNames, header, row).map(({ text }) => text);
  const [company] = cellsUnder(companyNames, header, row);
  if (company)
    return {
      text: company.text,
      scope: scopeOf(company.text, people, plainNames.test(company.name)),
    };
  const [site] = cellsUnder(sites, header, row);
  if (site)
    // A whole address may lead to a person's page.
    return {
      text: site.text,
      scope: isDomain(site.text) ? scopeOf(site.text, people, false) : 'user',
    };
  const [person] = cellsUnder(personNames, header, row);
  const first = row.filter((cell) => cell.trim() !== '').slice(0, 2);
  const text = person?.text ?? oneLine(first.join(' '), longestQuery);
  return text === '' ? undefined : { text, scope: 'none' };
}

function scopeOf(text: string, people: readonly string[], isPlain: boolean): Research['scope'] {
  const like = likeness(text, people);
  // What has an @ is an e-mail address, or a person's account.
  if (like === 'same' || text.includes('@')) return 'none';
  return like === 'none' && isSurelyCompany(text, isPlain) ? 'company' : 'user';
}
