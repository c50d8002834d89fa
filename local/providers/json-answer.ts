import { invalid, type Problem } from './openai-errors.ts';
import { chance } from './seeded-failures.ts';
import type { Profile } from './settings.ts';

type Schema = { [key: string]: unknown };
type Named = { name: string; schema: Schema; strict?: boolean | null | undefined };

const played = new Set(
  'type properties required additionalProperties items enum description title minimum maximum'.split(
    ' ',
  ),
);
const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const propertiesOf = ({ properties }: Schema) =>
  Object.entries(isSchema(properties) ? properties : {}) as [string, Schema][];

/** Every schema within one, with its path. */
function* within(schema: unknown, path: string[] = []): Generator<[string[], unknown]> {
  yield [path, schema];
  if (!isSchema(schema)) return;
  for (const [key, part] of propertiesOf(schema)) yield* within(part, [...path, 'properties', key]);
  if (isSchema(schema['items'])) yield* within(schema['items'], [...path, 'items']);
}

// A level is two steps; https://developers.openai.com/api/docs/guides/structured-outputs has the limit.
const deepest = 20;
const tooDeep = 'schema has more than 10 levels of nesting.';
const notAnObject = `schema must be a JSON Schema of 'type: "object"'.`;
const notClosed = "'additionalProperties' is required to be supplied and to be false.";
const notRequired =
  "'required' is required to be supplied and to be an array including every key in properties.";

function problemWithin(part: unknown, isStrict: boolean): string | undefined {
  if (!isSchema(part)) return `${JSON.stringify(part)} is not of type 'object', 'boolean'.`;
  const bound = [part['minimum'], part['maximum']].find((one) => typeof (one ?? 0) !== 'number');
  if (bound !== undefined) return `${JSON.stringify(bound)} is not of type 'number'.`;
  const unknown = Object.keys(part).find((key) => !played.has(key));
  if (unknown) return `the local stand-in does not play '${unknown}'.`;
  if (!isStrict || part['type'] !== 'object') return undefined;
  if (part['additionalProperties'] !== false) return notClosed;
  const required = new Set([part['required']].flat());
  const missing = propertiesOf(part).find(([key]) => !required.has(key))?.[0];
  return missing && `${notRequired} Missing '${missing}'.`;
}

/**
 * Refuses what a strict schema may not have, and keywords that are not played here. Words:
 * moeru-ai/xsai#202 (OpenAI), Meridiona/meridian#811 (Groq).
 */
export function problemWithSchema(profile: Profile, named: Named): Problem | undefined {
  const { name, schema, strict } = named;
  for (const [path, part] of within(schema)) {
    const isObject = path.length > 0 || schema['type'] === 'object';
    const wrong = isObject ? problemWithin(part, strict === true) : notAnObject;
    const what = path.length > deepest ? tooDeep : wrong;
    const short =
      what === notClosed ? 'additionalProperties:false must be set on every object' : what;
    if (what && profile === 'groq')
      return invalid(`invalid JSON schema for response_format: '${name}': ${short}`);
    const context = `In context=(${path.map((step) => `'${step}'`).join(', ')}), ${what}`;
    const message = `Invalid schema for response_format '${name}': ${context}`;
    if (what) return invalid(message, 'response_format');
  }
  return undefined;
}

/** What fills a schema: texts by key; `ref` chooses among values. */
export type Source = {
  ref: string;
  words: (key: string) => string;
  /** False: what may be null is null. */
  isKnown: boolean;
};

/** The values that a description offers: `one of "small", "large"`. */
function offeredIn({ description }: Schema): string[] {
  const offer = /\bone of ("(?:[^"\\]|\\.)*"(?:, "(?:[^"\\]|\\.)*")*)/u;
  const list = typeof description === 'string' ? offer.exec(description)?.[1] : undefined;
  return list === undefined ? [] : (JSON.parse(`[${list}]`) as string[]);
}

/** A value that fits the schema; the same for the same `ref`. */
export function valueFor(schema: Schema, source: Source, key = ''): unknown {
  const { ref, words, isKnown } = source;
  const fill = (part: Schema, name = key) => valueFor(part, source, name);
  const pick = (list: unknown[]) => list[Math.floor(chance(ref, key) * list.length)];
  const types: unknown[] = [schema['type']].flat();
  if (types.includes('null') && !isKnown) return null;
  const offered = offeredIn(schema);
  if (Array.isArray(schema['enum'])) return pick(schema['enum']);
  if (types.includes('string') && offered.length > 0) return pick(offered);
  const type = types.find((one) => one !== 'null') ?? 'null';
  const some = types.includes('null') ? Math.floor(1 + chance(ref, key) * 999) : 1;
  const least = Number(schema['minimum'] ?? some);
  const parts = propertiesOf(schema).map(([name, part]) => [name, fill(part, name)]);
  if (type === 'object') return Object.fromEntries(parts);
  if (type === 'array') return [schema['items']].filter(isSchema).map((part) => fill(part));
  if (type === 'boolean') return pick([true, false]);
  if (type === 'integer' || type === 'number')
    return Math.min(least, Number(schema['maximum'] ?? least));
  return type === 'null' ? null : words(key);
}

const formLine =
  /^- ("(?:[^"\\]|\\.)+"), (a text|a JSON number|true, false|one of ".*").* or null: /gmu;

/** The schema that a prompt puts in words, a line for each key: `- "size", one of "S", "L" or null: …`. */
export function schemaInWords(prompt: string): Schema | undefined {
  const named: Record<string, string> = { 'a JSON number': 'number', 'true, false': 'boolean' };
  const properties = Array.from(prompt.matchAll(formLine), ([, key = '""', words = '']) => {
    const type = [named[words] ?? 'string', 'null'];
    return [JSON.parse(key) as string, { type, description: words }] as const;
  });
  if (properties.length === 0) return undefined;
  return { type: 'object', properties: Object.fromEntries(properties) };
}
