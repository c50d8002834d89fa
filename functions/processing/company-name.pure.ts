/** Forms of companies that are nobody's name. Compared without letter case, dots and strokes. */
const legalForms = new Set(
  `inc incorporated llc llp ltd limited corp corporation plc pllc gmbh ggmbh mbh kgaa ohg gbr sarl eurl srl slu
  sprl bvba oyj asa aps kft zrt nyrt doo dooel sro spzoo pty pvt pte bhd ltda lda eireli tbk cie`.split(
    /\s+/,
  ),
);
/** Forms that may be a name or initials: only as the last word and written so, with or without dots. */
const shortForms = new Set([
  'Oy',
  'Ab',
  'SpA',
  'eV',
  'eK',
  ...'ag se sa sas sl ab as oy bv nv kg ug ev ek kk spa pt'
    .split(' ')
    .map((form) => form.toUpperCase()),
]);
const eastern =
  /株式会社|有限会社|合同会社|合資会社|（株）|\(株\)|㈱|有限公司|有限责任公司|公司|集团|集團|주식회사|\(주\)|㈜|(?:^|\s)(?:ооо|оао|зао|пао|тов)(?:\s|$|«|")/iu;

/** Words of companies and institutions in several languages; none is a common name of people. */
const companyWords = new Set(
  `company companies group groupe gruppe grupo gruppo groep holding holdings bank banque banco banca sparkasse
  volksbank technology technologies tech technik solutions consulting consultants consultancy services systems
  software digital hotel hotels restaurant university université universität universidad università institute
  institut instituto school college hospital clinic klinik clinica foundation stiftung fondation fundación verein
  association agency agentur agence agencia studio studios labs laboratories laboratoires media partners capital
  ventures industries industrie industrias international global energy energie logistics logistik insurance
  versicherung versicherungen assurances seguros airlines airways motors pharma pharmaceuticals foods publishing
  verlag werke stadtwerke société sociedad sociedade società compagnie compañía companhia genossenschaft
  immobilien transporte kanzlei apotheke autohaus networks electronics engineering construction analytics robotics
  brands trading enterprises`.split(/\s+/),
);

const folded = (text: string): string => text.normalize('NFKC').toLowerCase();

const wordsOf = (text: string): string[] => folded(text).match(/[\p{L}\p{N}]+/gu) ?? [];

/** A site's domain, with or without scheme and `www`, and nothing behind it. */
const domain = /^(?:https?:\/\/)?(?:www\.)?(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}\/?$/iu;

export const isDomain = (text: string): boolean => domain.test(text);

function hasLegalForm(text: string): boolean {
  const words = text.split(/[\s,]+/).filter(Boolean);
  const last = words.at(-1) ?? '';
  const bare = (word: string) => word.replaceAll(/[./()]/g, '');
  // MARIA SA is a woman, Maria Foods SA is none.
  const isShort =
    words.length > 1 &&
    shortForms.has(bare(last)) &&
    (bare(last) !== last ||
      !['SA', 'SAS', 'AS', 'OY'].includes(last) ||
      text !== text.toUpperCase());
  return (
    isShort ||
    eastern.test(text) ||
    words.slice(1).some((word) => legalForms.has(folded(bare(word)))) ||
    /\ss\. ?r\. ?o\.|\ssp\. ?z ?o\. ?o\./i.test(text)
  );
}

/** Whether a text can be nothing but a company's name; `isPlain`: it stands under a header that says company. */
export function isSurelyCompany(text: string, isPlain: boolean): boolean {
  if (text.includes('@') || !/\p{L}/u.test(text)) return false;
  if (hasLegalForm(text) || text.includes('&') || isDomain(text)) return true;
  const words = wordsOf(text);
  if (words.length > 1 && words.some((word) => companyWords.has(word))) return true;
  // Elsewhere a number behind letters may be a user's name or a customer's number.
  if (/^\d/.test(text) || (isPlain && /\d/.test(text))) return true;
  return isPlain && words.length === 1;
}

/** How a text stands to the names of a row's person: it is that name, holds a part of it, or has none of it. */
export function likeness(text: string, names: readonly string[]): 'same' | 'part' | 'none' {
  const own = wordsOf(text);
  const sorted = (words: string[]) => words.toSorted().join(' ');
  const people = [...names, names.join(' ')].map(wordsOf).filter((words) => words.length > 0);
  if (people.some((words) => sorted(words) === sorted(own))) return 'same';
  const parts = new Set(people.flat().filter((word) => word.length > 1));
  // A domain writes them as one.
  const all = own.join('');
  const isPart = (part: string) =>
    own.includes(part) || (isDomain(text) && part.length > 3 && all.includes(part));
  return [...parts].some(isPart) ? 'part' : 'none';
}
