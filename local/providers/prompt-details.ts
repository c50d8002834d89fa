/** What a letter can address; every field as it stood in the prompt, shortened. */
export type Details = {
  company?: string;
  person?: string;
  role?: string;
  place?: string;
  industry?: string;
  research?: string;
  /** A value under a key that has no meaning here, for prompts of unforeseen columns. */
  other?: { key: string; value: string };
};

const aliases: Record<Exclude<keyof Details, 'other'>, string[]> = {
  company: 'company,company name,organization,organisation,account,business,security,firm'.split(
    ',',
  ),
  person: 'name,first name,full name,contact,contact name,person,recipient,lead'.split(','),
  role: 'title,job title,role,position'.split(','),
  place: 'city,location,headquarters,headquarters location,hq,country,region'.split(','),
  industry: 'industry,sector,gics sector,gics sub-industry,vertical'.split(','),
  research: 'research,research summary,summary,findings,snippet,snippets,news'.split(','),
};
const fieldOf = new Map(
  Object.entries(aliases).flatMap(([field, keys]) =>
    keys.map((key) => [key, field as keyof typeof aliases] as const),
  ),
);

const MAX_DETAIL = 80;
const MAX_RESEARCH = 160;
const linePattern = /^[\s>*•-]*["']?([\p{L}][\p{L}\p{N} _/-]{0,40})["']?\s*[:=]\s*(.*)$/u;
const jsonPattern = /"((?:[^"\\]|\\.){1,60})"\s*:\s*"((?:[^"\\]|\\.)*)"/g;

const normal = (key: string) =>
  key
    .trim()
    .toLowerCase()
    .replaceAll(/[_\s]+/g, ' ');
const bare = (value: string) =>
  value
    .trim()
    .replace(/^[\s*•-]+/, '')
    .replace(/^["']/, '')
    .replace(/["']?,?$/, '')
    .trim();

function unescaped(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}

/** `key: value` lines, `key=value` lines and JSON string members, in the order of the text. */
function* pairsOf(text: string): Generator<[string, string]> {
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const members = [...line.matchAll(jsonPattern)];
    for (const [, key = '', value = ''] of members) yield [key, unescaped(value).trim()];
    if (members.length > 0) continue;
    const [, key, value = ''] = linePattern.exec(line) ?? [];
    // A heading such as "Research:" stands above its value.
    if (key) yield [key, bare(value) || bare(lines[index + 1] ?? '')];
  }
}

function shortened(text: string, max: number): string {
  const flat = text.replaceAll(/\s+/g, ' ').trim();
  return flat.length <= max ? flat : `${flat.slice(0, max).replace(/\s+\S*$/, '')}…`;
}

/** Finds whom and what a prompt is about; the first value of a kind wins. */
export function detailsOf(text: string): Details {
  const found: Details = {};
  for (const [key, value] of pairsOf(text)) {
    if (!value) continue;
    const field = fieldOf.get(normal(key));
    if (field) found[field] ??= shortened(value, field === 'research' ? MAX_RESEARCH : MAX_DETAIL);
    else found.other ??= { key: normal(key), value: shortened(value, MAX_DETAIL) };
  }
  return found;
}
