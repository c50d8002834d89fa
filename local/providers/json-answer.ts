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

type Words = (key: string) => string;

/** A value that fits the schema; the same for the same `ref`. `words` gives the text for a key. */
export function valueFor(schema: Schema, ref: string, words: Words, key = ''): unknown {
  const fill = (part: Schema, name = key) => valueFor(part, ref, words, name);
  const pick = (list: unknown[]) => list[Math.floor(chance(ref, key) * list.length)];
  if (Array.isArray(schema['enum'])) return pick(schema['enum']);
  const type: unknown = [schema['type']].flat()[0];
  const least = Number(schema['minimum'] ?? 1);
  const parts = propertiesOf(schema).map(([name, part]) => [name, fill(part, name)]);
  if (type === 'object') return Object.fromEntries(parts);
  if (type === 'array') return [schema['items']].filter(isSchema).map((part) => fill(part));
  if (type === 'boolean') return pick([true, false]);
  if (type === 'integer' || type === 'number')
    return Math.min(least, Number(schema['maximum'] ?? least));
  return type === 'null' ? null : words(key);
}
