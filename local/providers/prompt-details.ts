type Field = 'company' | 'person' | 'role' | 'place' | 'industry' | 'research';
type Other = { key: string; value: string };
/** What an e-mail can address, shortened; `other`: a value under a key that has no meaning here. */
export type Details = { [field in Field]?: string } & { other?: Other };

const aliases: Record<Field, string> = {
  company: 'company,company name,organization,organisation,account,business,security,firm',
  person: 'name,first name,full name,contact,contact name,person,recipient,lead',
  role: 'title,job title,role,position',
  place: 'city,location,headquarters,headquarters location,hq,country,region',
  industry: 'industry,sector,gics sector,gics sub-industry,vertical',
  research: 'research,research summary,summary,findings,snippet,snippets,news',
};
const fieldOf = new Map(
  Object.entries(aliases).flatMap(([field, keys]) =>
    keys.split(',').map((key) => [key, field as Field] as const),
  ),
);

/** `key: value` lines, a heading above its value, and members of JSON objects. */
const pair =
  /(?:^[\s>*•-]*|[{,]\s*)["']?(\p{L}[\p{L}\p{N} _/-]{0,40})["']?\s*[:=][ \t]*("(?:[^"\\]|\\.)*"|.*)(?:\n(?=(.*)))?/gmu;

function shortened(text: string, max: number): string {
  const bare = text.replace(/^[\s*•"'-]+/, '').replace(/["']?[,}]*$/, '');
  const flat = bare.replaceAll('\\"', '"').replaceAll(/\s+/g, ' ').trim();
  return flat.length <= max ? flat : `${flat.slice(0, max).replace(/\s+\S*$/, '')}…`;
}

const section = (text: string, name: string): string | undefined =>
  new RegExp(`<${name}>\\n([^]*?)\\n</${name}>`).exec(text)?.[1];

/**
 * Finds whom and what a prompt is about; the first value of a kind wins. Of one with sections, what stands in
 * `<lead>`, and the first line of `<research>` without its citation.
 */
export function detailsOf(prompt: string): Details {
  const text = section(prompt, 'lead') ?? prompt;
  const line = section(prompt, 'research')?.split('\n', 1)[0];
  const found: Details = {};
  if (line) found.research = shortened(line.replace(/\s*\[\d+\]$/, ''), 160);
  for (const [, name = '', value = '', below = ''] of text.matchAll(pair)) {
    const key = name.trim().toLowerCase().replaceAll('_', ' ');
    const field = fieldOf.get(key);
    const short = shortened(value.trim() || below, field === 'research' ? 160 : 80);
    if (short === '') continue;
    if (field) found[field] ??= short;
    else found.other ??= { key, value: short };
  }
  return found;
}
