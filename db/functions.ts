import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { inSchema, reference } from './in-schema.ts';

/** A function as its text declares it: its parameters in order, without those that only go out. */
export type Signature = {
  name: string;
  parameters: { name: string; type: string; default: string | undefined }[];
  /** What `returns` says, in lower case; `record` for `out` parameters. */
  returns: string;
};

/** All SQL of one version of the code. */
export type Release = {
  /** `rowloom_` and ten hexadecimal digits of the SQL's SHA-256. */
  schema: string;
  signatures: Signature[];
  /** Creates what the schema holds; types first, then functions in any order. */
  sql: string;
};

const functionsFolder = fileURLToPath(new URL('../functions', import.meta.url));

/** The parts of a list, split at commas that no bracket or quote encloses. */
function splitList(list: string): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const [token] of list.matchAll(/'[^']*'|[()[\],]|[^'()[\],]+/g)) {
    if ('(['.includes(token)) depth += 1;
    if (')]'.includes(token)) depth -= 1;
    if (token === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function readParameter(text: string): Signature['parameters'][number] | undefined {
  const found = /^(?:(in|out|inout|variadic)\s+)?(\w+)\s+(.+?)(?:\s+(?:default|=)\s+(.+))?$/is.exec(
    text,
  );
  const [, mode = 'in', name = '', type = '', value] = found ?? [];
  if (!found || /^(inout|variadic)$/i.test(mode))
    throw new Error(`A parameter that nobody can read: ${text}`);
  return mode.toLowerCase() === 'out'
    ? undefined
    : { name, type: type.toLowerCase(), default: value };
}

const declaration =
  /^create function rowloom\.(\w+)\s*\(((?:[^()']|'[^']*'|\([^()]*\))*)\)\s*(?:returns\s+((?:setof\s+)?[\w.]+(?:\[\])?))?/gim;

function readSignatures(sql: string): Signature[] {
  const found = [...sql.matchAll(declaration)];
  if (found.length !== [...sql.matchAll(/^create function /gim)].length)
    throw new Error(`A declaration that nobody can read, near rowloom.${found.at(-1)?.[1]}.`);
  return found
    .map(([, name = '', list = '', returns = 'record']) => ({
      name,
      parameters: splitList(list.replaceAll(/--.*$/gm, ''))
        .map(readParameter)
        .filter((parameter) => parameter !== undefined),
      returns: returns.toLowerCase(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Names that the files create, each once; a reference to any other is a slip of the pen. */
function checkNames(files: [path: string, text: string][]): void {
  const names = files.flatMap(([path, text]) => {
    const created = [...text.matchAll(/^create (?:type|function) rowloom\.(\w+)/gim)];
    const others = [...text.matchAll(/^create /gim)].length - created.length;
    if (others > 0)
      throw new Error(`${path} creates something else than "create type|function rowloom.…".`);
    return created.map(([, name = '']) => name);
  });
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`rowloom.${twice} is created twice.`);
  for (const [path, text] of files)
    for (const [, name = ''] of text.matchAll(reference))
      if (!names.includes(name))
        throw new Error(`${path} names rowloom.${name}, which is nowhere.`);
}

/**
 * Reads every `.sql` file below `folder`. They create functions in a schema that they call `rowloom`,
 * in any order; types stand in files named `types.sql`. Throws on a name that is created twice or never.
 */
export async function readRelease(folder = functionsFolder): Promise<Release> {
  const found = await readdir(folder, { recursive: true });
  const paths = found
    .filter((path) => path.endsWith('.sql'))
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
  const files = await Promise.all(
    paths.map(async (path): Promise<[string, string]> => [
      path,
      await readFile(`${folder}/${path}`, 'utf8'),
    ]),
  );
  checkNames(files);
  const hash = createHash('sha256').update(JSON.stringify(files)).digest('hex');
  const schema = `rowloom_${hash.slice(0, 10)}`;
  const isTypes = ([path]: [string, string]): boolean => /(^|\/)types\.sql$/.test(path);
  const inOrder = [...files.filter(isTypes), ...files.filter((file) => !isTypes(file))];
  const sql = inOrder.map(([, text]) => text).join('\n');
  return {
    schema,
    signatures: readSignatures(sql),
    sql: inSchema(schema, sql).replaceAll(/'rowloom'/g, `'${schema}'`),
  };
}
