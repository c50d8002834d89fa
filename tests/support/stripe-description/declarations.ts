import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { type ESTree, parseSync } from 'rolldown/utils';

/** What one name means: a type, a namespace, or what another file says it means. */
type Meaning = {
  type?: ESTree.TSInterfaceDeclaration | ESTree.TSTypeAliasDeclaration | ESTree.Class;
  space?: Scope;
  elsewhere?: () => Found | undefined;
};
export type Scope = { file: string; name: string; names: Map<string, Meaning>; outer?: Scope };
/** A declaration and the scope in which the names that it uses are looked up. */
export type Found = { type: Meaning['type']; space: Scope | undefined; scope: Scope; name: string };

/** The SDK's declarations, which Stripe generates from its description of the API. */
export const root = new URL('../../../node_modules/stripe/esm/', import.meta.url);
const modules = new Map<string, Scope>();

/** The scope of a file, given by its path below the SDK's `esm` without an ending. */
export function moduleOf(file: string): Scope {
  const known = modules.get(file);
  if (known) return known;
  const scope: Scope = { file, name: '', names: new Map() };
  modules.set(file, scope);
  const text = readFileSync(new URL(`${file}.d.ts`, root), 'utf8');
  const { program, errors } = parseSync(`${file}.d.ts`, text, { lang: 'dts' });
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`);
  for (const statement of program.body) declare(scope, statement);
  return scope;
}

function meaning(scope: Scope, name: string): Meaning {
  const known = scope.names.get(name) ?? {};
  scope.names.set(name, known);
  return known;
}

const fileOf = (scope: Scope, source: string): string =>
  join(dirname(scope.file), source).replace(/\.js$/, '');

function declareImport(scope: Scope, statement: ESTree.ImportDeclaration): void {
  const file = fileOf(scope, statement.source.value);
  for (const each of statement.specifiers)
    meaning(scope, each.local.name).elsewhere = () =>
      each.type === 'ImportSpecifier'
        ? at(moduleOf(file), nameOf(each.imported))
        : { type: undefined, space: moduleOf(file), scope, name: '' };
}

/** What a file exports again from another, and a namespace from around it. */
function declareExports(scope: Scope, statement: ESTree.ExportNamedDeclaration): void {
  const { declaration, source, specifiers } = statement;
  if (declaration) declare(scope, declaration);
  const { outer } = scope;
  for (const { local, exported } of source || outer ? specifiers : [])
    meaning(scope, nameOf(exported)).elsewhere = () => {
      const from = source ? moduleOf(fileOf(scope, source.value)) : outer;
      return from && at(from, nameOf(local));
    };
}

function declare(scope: Scope, statement: ESTree.Statement | ESTree.Directive): void {
  if (statement.type === 'ImportDeclaration') declareImport(scope, statement);
  if (statement.type === 'ExportNamedDeclaration') declareExports(scope, statement);
  if (
    statement.type === 'TSInterfaceDeclaration' ||
    statement.type === 'TSTypeAliasDeclaration' ||
    statement.type === 'ClassDeclaration'
  )
    meaning(scope, nameOf(statement.id)).type = statement;
  if (statement.type === 'TSModuleDeclaration') {
    const name = nameOf(statement.id);
    const known = meaning(scope, name);
    const inner = known.space ?? {
      file: scope.file,
      name: `${scope.name}${name}.`,
      names: new Map<string, Meaning>(),
      outer: scope,
    };
    known.space = inner;
    for (const each of statement.body?.body ?? []) declare(inner, each);
  }
  if (statement.type === 'TSImportEqualsDeclaration') {
    const path = pathOf(statement.moduleReference);
    meaning(scope, statement.id.name).elsewhere = () => find(scope, path);
  }
}

const nameOf = (node: unknown): string => {
  const { name, value } = node as { name?: string; value?: string };
  return name ?? value ?? '';
};

/** `A.B.C`, as a type or as an expression, in its parts. */
export function pathOf(node: unknown): string[] {
  const { type, left, right, object, property } = node as Record<string, unknown>;
  if (type === 'TSQualifiedName') return [...pathOf(left), nameOf(right)];
  if (type === 'MemberExpression') return [...pathOf(object), nameOf(property)];
  return [nameOf(node)];
}

function at(scope: Scope, name: string): Found | undefined {
  const known = scope.names.get(name);
  if (known?.elsewhere) return known.elsewhere();
  return known && { type: known.type, space: known.space, scope, name: `${scope.name}${name}` };
}

/** Looks a path up as TypeScript does: its head from the inside out, the rest inside of it. */
export function find(from: Scope, path: string[]): Found | undefined {
  const [head = '', ...rest] = path;
  for (let scope: Scope | undefined = from; scope; scope = scope.outer) {
    const found = at(scope, head);
    if (rest.length === 0 ? found?.type : found?.space)
      return rest.reduce<Found | undefined>(
        (inside, name) => (inside?.space ? at(inside.space, name) : undefined),
        found,
      );
  }
  return undefined;
}
