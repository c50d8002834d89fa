import type { ESTree } from 'rolldown/utils';
import { find, type Found, pathOf, type Scope } from './declarations.ts';

export type Schema = Record<string, unknown>;
/** A member of a union, with what tells it from the others. */
export type Option = { schema: Schema; consts: Record<string, unknown> };
type Members = Pick<ESTree.TSInterfaceDeclaration, 'extends'> & {
  body: { body: readonly ESTree.TSSignature[] };
};

/** The members of an interface and of those that it extends, its own first. */
export function partsOf(
  type: Members,
  scope: Scope,
): { member: ESTree.TSSignature; scope: Scope }[] {
  const inherited = type.extends.flatMap(({ expression }) => {
    const found = find(scope, pathOf(expression));
    if (found?.type?.type !== 'TSInterfaceDeclaration')
      throw new Error(`${scope.file}: what ${pathOf(expression).join('.')} extends is nowhere`);
    return partsOf(found.type, found.scope);
  });
  return [...type.body.body.map((member) => ({ member, scope })), ...inherited];
}

/** The properties of a shape that have one value: `object`, and `deleted` of what was deleted. */
export function constsOf({ type }: Found): Record<string, unknown> {
  const consts: Record<string, unknown> = {};
  for (const member of type?.type === 'TSInterfaceDeclaration' ? type.body.body : []) {
    if (member.type !== 'TSPropertySignature' || member.optional) continue;
    const annotation = member.typeAnnotation?.typeAnnotation;
    if (annotation?.type === 'TSLiteralType' && annotation.literal.type === 'Literal')
      consts[(member.key as { name: string }).name] = annotation.literal.value;
  }
  return consts;
}

const isStructured = ({ schema }: Option): boolean =>
  '$ref' in schema || schema['type'] === 'object' || schema['type'] === 'array';

const choose = (test: Schema, pass: Schema, fail: Schema): Schema =>
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  ({ if: test, then: pass, else: fail });

/** One of several schemas, told apart first, so that a problem is told of the one that was meant. */
export function oneOf(options: Option[]): Schema {
  const structured = options
    .filter(isStructured)
    .toSorted((a, b) => Object.keys(b.consts).length - Object.keys(a.consts).length);
  const simple = oneOfSimple(
    options.filter((each) => !isStructured(each)).map(({ schema }) => schema),
  );
  const last = structured.pop();
  if (!last) return simple ?? {};
  const shape = structured.reduceRight<Schema>(
    (rest, { schema, consts }) => choose(having(consts), schema, rest),
    last.schema,
  );
  return simple ? choose({ type: ['object', 'array'] }, shape, simple) : shape;
}

/** What an object must hold to be the one that is meant. */
export const having = (consts: Record<string, unknown>): Schema => ({
  properties: Object.fromEntries(
    Object.entries(consts).map(([name, value]) => [name, { const: value }]),
  ),
  required: Object.keys(consts),
});

function oneOfSimple(all: Schema[]): Schema | undefined {
  const isValue = (each: Schema): boolean =>
    'const' in each || 'enum' in each || each['type'] === 'null';
  const values = all
    .filter((each) => isValue(each))
    .flatMap((each) =>
      'const' in each ? [each['const']] : ((each['enum'] as unknown[]) ?? [null]),
    );
  const rest = all.filter((each) => !isValue(each));
  const anyOf = values.length > 0 ? [{ enum: [...new Set(values)] }, ...rest] : rest;
  return anyOf.length > 1 ? { anyOf } : anyOf[0];
}
