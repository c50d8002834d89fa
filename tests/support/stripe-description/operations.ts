import { readdirSync, readFileSync } from 'node:fs';
import { type ESTree } from 'rolldown/utils';
import { moduleOf, root, type Scope } from './declarations.ts';

/** One call of the API, as the SDK declares it. */
export type Operation = {
  path: string;
  params: ESTree.TSType | undefined;
  /** What it answers: an object, or a page of a list of them. */
  answer: ESTree.TSType;
  isList: boolean;
  scope: Scope;
};

/** `name(id, params, options) { return this._makeRequest('GET', `/v1/…/${encodeURIComponent(id)}`` */
const call =
  /^ {4}(\w+)\([^)]*\) \{\n\s+return this\._makeRequest\('(\w+)', ['`](\/v1\/[^'`]+)['`]/gm;
type Call = { method: string; path: string; name: string; file: string };

/** Every call of the API, from the SDK's code: `path` has `:id` for each id. */
const calls: Call[] = readdirSync(new URL('resources/', root), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.js') && !name.startsWith('V2'))
  .flatMap((name) =>
    [...readFileSync(new URL(`resources/${name}`, root), 'utf8').matchAll(call)].map(
      ([, verb = '', method = '', path = '']) => ({
        method,
        name: verb,
        path: path.replaceAll(/\$\{[^}]*\}/g, ':id'),
        file: `resources/${name.slice(0, -3)}`,
      }),
    ),
  );

const fits = (pattern: string, path: string): boolean => {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  return (
    wanted.length === given.length && wanted.every((part, i) => part === ':id' || part === given[i])
  );
};

/** The operation of a request; `path` may hold ids or names for them (`/v1/prices/:price`). */
export function operationOf(method: string, path: string): Operation | undefined {
  const found = calls
    .filter((each) => each.method === method && fits(each.path, path))
    .toSorted((a, b) => a.path.split(':id').length - b.path.split(':id').length)[0];
  return found && declared(found);
}

function declared({ file, name, path }: Call): Operation {
  const scope = moduleOf(file);
  for (const { type } of scope.names.values()) {
    if (type?.type !== 'ClassDeclaration') continue;
    const member = type.body.body.find(
      (each) => each.type === 'MethodDefinition' && (each.key as { name?: string }).name === name,
    );
    if (member?.type === 'MethodDefinition') return operation(member, scope, path);
  }
  throw new Error(`${file}: ${name} is not declared`);
}

function operation(member: ESTree.MethodDefinition, scope: Scope, path: string): Operation {
  const params = member.value.params.find((each) => (each as { name?: string }).name === 'params');
  let answer = member.value.returnType?.typeAnnotation;
  let isList = false;
  while (answer?.type === 'TSTypeReference' && answer.typeArguments) {
    isList ||= (answer.typeName as { name?: string }).name === 'ApiListPromise';
    answer = answer.typeArguments.params[0];
  }
  if (!answer) throw new Error(`${scope.file}: ${path} answers nothing`);
  const { typeAnnotation } = params as { typeAnnotation?: ESTree.TSTypeAnnotation };
  return { path, params: typeAnnotation?.typeAnnotation, answer, isList, scope };
}
