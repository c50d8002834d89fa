import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readRelease, type Release, type Signature } from './functions.ts';

const generatedFile = fileURLToPath(new URL('./functions.generated.ts', import.meta.url));

/** What a parameter takes; a function that takes anything else, or gives many rows, is none for `call`. */
const takes: Record<string, string> = {
  text: 'string',
  uuid: 'string',
  timestamptz: 'string',
  integer: 'number',
  bigint: 'number',
  boolean: 'boolean',
  json: 'object',
  jsonb: 'object',
  'text[]': 'readonly string[]',
  'uuid[]': 'readonly string[]',
  'integer[]': 'readonly number[]',
  'bigint[]': 'readonly number[]',
  'boolean[]': 'readonly boolean[]',
};

/** What a function gives; JSON and rows are `unknown` until the caller has said what they are. */
const gives: Record<string, string> = {
  void: 'void',
  text: 'string | null',
  uuid: 'string | null',
  integer: 'number',
  boolean: 'boolean',
};

const isCallable = ({ parameters, returns }: Signature): boolean =>
  parameters.every(({ type }) => takes[type] !== undefined) && !/^(setof|table)\b/.test(returns);

/** Null is a value only where the signature has it as the default. */
const parameterType = ({ name, type, default: value }: Signature['parameters'][number]): string => {
  const isNullable = value?.toLowerCase() === 'null';
  return `${name}${value === undefined ? '' : '?'}: ${takes[type]}${isNullable ? ' | null' : ''}`;
};

const functionType = ({ name, parameters, returns }: Signature): string => {
  const args = parameters.map(parameterType).join('; ');
  return `  ${name}: { takes: {${args && ` ${args} `}}; gives: ${gives[returns] ?? 'unknown'} };`;
};

/** The TypeScript that names a release and types its functions. */
export function generate({ schema, signatures }: Release): string {
  const callable = signatures.filter(isCallable);
  const arrays = callable.flatMap(({ name, parameters }) =>
    parameters.filter(({ type }) => type.endsWith('[]')).map((one) => `'${name}.${one.name}'`),
  );
  return [
    '// Made of functions/**/*.sql by `npm run db:release`; do not edit.',
    `export const functionsSchema = '${schema}';`,
    '/** Parameters that are arrays of SQL, not of JSON. */',
    `export const arrayParameters: readonly string[] = [${arrays.join(', ')}];`,
    'export type Functions = {',
    ...callable.map(functionType),
    '};',
    '',
  ].join('\n');
}

/** Whether the committed file is that of the SQL beside it. */
export const isFresh = async (release: Release): Promise<boolean> =>
  (await readFile(generatedFile, 'utf8').catch(() => '')) === generate(release);

if (import.meta.main) {
  const release = await readRelease();
  if (!process.argv.includes('--check')) await writeFile(generatedFile, generate(release));
  else if (!(await isFresh(release))) {
    console.error('db/functions.generated.ts is not of the SQL in functions/: npm run db:release');
    process.exit(1);
  }
}
