/** A column value as Postgres writes it. */
export type Text = string | null;

/** JSON array → Postgres array literal; strings are quoted as JSON, which Postgres reads the same. */
function arrayItem(value: unknown): string {
  if (value === null) return 'NULL';
  if (Array.isArray(value)) return `{${value.map(arrayItem).join(',')}}`;
  if (typeof value === 'object') return JSON.stringify(JSON.stringify(value));
  return JSON.stringify(value);
}

/** A parameter of the request body as the text that Postgres gets. */
export function parameterText(value: unknown): Text {
  if (value === null || typeof value === 'string') return value;
  return Array.isArray(value) ? arrayItem(value) : JSON.stringify(value);
}

/** Type ids whose text is not simply a JSON string, and the element types of their arrays. */
const kinds = new Map<number, 'bool' | 'number' | 'json'>([
  [16, 'bool'],
  [21, 'number'],
  [23, 'number'],
  [700, 'number'],
  [701, 'number'],
  [114, 'json'],
  [3802, 'json'],
]);
const elements = new Map([
  [1000, 16],
  [1005, 21],
  [1007, 23],
  [1021, 700],
  [1022, 701],
  [199, 114],
  [3807, 3802],
  // text, varchar, int8, numeric, uuid, date, timestamp, timestamptz, bytea: strings.
  ...[1009, 1015, 1016, 1231, 2951, 1182, 1115, 1185, 1001].map((id) => [id, 25] as const),
]);

function scalar(text: string, typeId: number): unknown {
  const kind = kinds.get(typeId);
  if (kind === 'bool') return text === 't';
  if (kind === 'json') return JSON.parse(text);
  if (kind === 'number' && Number.isFinite(Number(text))) return Number(text);
  return text;
}

/** One pass over an array literal: braces, quoted items with backslashes, bare items, NULL. */
function parseArray(literal: string, elementId: number): unknown {
  const tokens = /\{|\}|,|"((?:[^"\\]|\\.)*)"|[^{},"]+/gs;
  tokens.lastIndex = literal.indexOf('{') + 1;
  const root: unknown[] = [];
  const open = [root];
  for (let token = tokens.exec(literal); token; token = tokens.exec(literal)) {
    const list = open.at(-1) ?? root;
    const [bare, quoted] = token;
    if (bare === '{') {
      const inner: unknown[] = [];
      list.push(inner);
      open.push(inner);
    } else if (bare === '}') open.pop();
    else if (quoted !== undefined) list.push(scalar(quoted.replaceAll(/\\(.)/gs, '$1'), elementId));
    else if (bare !== ',') list.push(bare === 'NULL' ? null : scalar(bare, elementId));
  }
  return root;
}

/** What Neon sends without `Neon-Raw-Text-Output`: JSON values where JSON has a type for them. */
export function jsonValue(text: Text, typeId: number): unknown {
  if (text === null) return null;
  const elementId = elements.get(typeId);
  return elementId === undefined ? scalar(text, typeId) : parseArray(text, elementId);
}
