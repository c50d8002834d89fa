import type { ESTree } from 'rolldown/utils';
import { find, type Found, pathOf, type Scope } from './declarations.ts';
import { kinds } from './kinds.ts';
import { constsOf, having, oneOf, type Option, partsOf, type Schema } from './shapes.ts';

/**
 * How a shape is meant: `plain` with an id for each reference, or `expanded`; `previous` holds some of a
 * shape's properties; `form` is what of parameters comes over the wire, all of it text.
 */
export type Mode = 'plain' | 'expanded' | 'previous' | 'form';

const number = { type: 'string', pattern: '^-?\\d+(\\.\\d+)?$' };
const onTheWire: Record<string, Schema> = {
  TSNumberKeyword: number,
  TSBooleanKeyword: { enum: ['true', 'false'] },
};
const keywords: Record<string, Schema> = {
  TSStringKeyword: { type: 'string' },
  TSNumberKeyword: { type: 'number' },
  TSBooleanKeyword: { type: 'boolean' },
  TSNullKeyword: { type: 'null' },
  TSUnknownKeyword: {},
};

/** The schemas of a mode, each made when it is first asked for and kept under its name. */
export class Schemas {
  readonly made: Schema[] = [];
  readonly mode: Mode;
  #begun = new Set<string>();

  constructor(mode: Mode) {
    this.mode = mode;
  }

  of(type: ESTree.TSType, scope: Scope): Schema {
    return oneOf(this.#options(type, scope));
  }

  /** A reference to the schema of an interface. */
  named({ type, scope, name }: Found): Schema {
    if (type?.type !== 'TSInterfaceDeclaration') throw new Error(`${name} is no interface`);
    const id = `${this.mode}:${scope.file}:${name}`.replaceAll('/', '-');
    if (!this.#begun.has(id)) {
      this.#begun.add(id);
      this.made.push({ $id: id, ...this.#shape(type, scope) });
    }
    return { $ref: id };
  }

  /**
   * The members of a union, or the one that a type is. Of an open enum (`'a' | OtherString`) the values
   * that Stripe documents; of a reference (`string | Customer | null`) the id and, where it may be
   * expanded, the kinds that are played. An object of another kind is not looked into.
   */
  #options(type: ESTree.TSType, scope: Scope, isReference = false): Option[] {
    if (type.type === 'TSUnionType') {
      const refers = isReference || type.types.some((each) => each.type === 'TSStringKeyword');
      return type.types.flatMap((each) => this.#options(each, scope, refers));
    }
    if (type.type !== 'TSTypeReference') return [{ schema: this.#simple(type, scope), consts: {} }];
    const path = pathOf(type.typeName);
    const name = path.join('.');
    if (name === 'OtherString') return [];
    if (name === 'Decimal') return [{ schema: number, consts: {} }];
    const [inner] = type.typeArguments?.params ?? [];
    if (inner) return this.#generic(name, inner, scope);
    const found = find(scope, path);
    if (!found) throw new Error(`${scope.file}: ${name} is nowhere`);
    if (found.type?.type === 'TSTypeAliasDeclaration')
      return this.#options(found.type.typeAnnotation, found.scope, isReference);
    const consts = constsOf(found);
    const { object } = consts;
    const isPlayed = typeof object !== 'string' || object in kinds;
    if (isReference && object !== undefined && !(isPlayed && this.mode === 'expanded')) return [];
    if (!isPlayed) return [{ schema: { type: 'object', ...having({ object }) }, consts }];
    return [{ schema: this.named(found), consts }];
  }

  #simple(type: ESTree.TSType, scope: Scope): Schema {
    const simple = (this.mode === 'form' ? onTheWire[type.type] : undefined) ?? keywords[type.type];
    if (simple) return simple;
    if (type.type === 'TSLiteralType' && type.literal.type === 'Literal')
      return { const: this.mode === 'form' ? String(type.literal.value) : type.literal.value };
    if (type.type === 'TSTypeLiteral')
      return this.#shape({ extends: [], body: { body: type.members } }, scope);
    throw new Error(`${scope.file}: no schema for ${type.type}`);
  }

  /** In `previous_attributes` a list is there as a whole. */
  #generic(name: string, type: ESTree.TSType, scope: Scope): Option[] {
    if (name === 'Emptyable')
      return [{ schema: { const: '' }, consts: {} }, ...this.#options(type, scope)];
    if (name === 'Partial') return [{ schema: schemas.previous.of(type, scope), consts: {} }];
    const items = (this.mode === 'previous' ? schemas.plain : this).of(type, scope);
    if (name === 'ApiList')
      return [{ schema: listOf(items, this.mode !== 'previous'), consts: {} }];
    if (name !== 'Array') throw new Error(`${scope.file}: no schema for ${name}<>`);
    const schema: Schema =
      this.mode === 'form'
        ? { type: 'object', patternProperties: { '^\\d+$': items }, additionalProperties: false }
        : { type: 'array', items };
    return [{ schema, consts: {} }];
  }

  #shape(type: Parameters<typeof partsOf>[0], of: Scope): Schema {
    const properties: Record<string, Schema> = {};
    const required: string[] = [];
    let others: Schema | false = false;
    for (const { member, scope } of partsOf(type, of)) {
      if (member.type === 'TSIndexSignature')
        others = this.#property(member.typeAnnotation.typeAnnotation, scope);
      if (member.type !== 'TSPropertySignature' || !member.typeAnnotation) continue;
      const { name = '' } = member.key as { name?: string };
      const annotation = member.typeAnnotation.typeAnnotation;
      if (name in properties || name === 'lastResponse' || annotation.type === 'TSVoidKeyword')
        continue;
      properties[name] = this.#property(annotation, scope);
      if (!member.optional && this.mode !== 'previous') required.push(name);
    }
    return { type: 'object', properties, required, additionalProperties: others };
  }

  /** What was absent before is null in `previous_attributes`. */
  #property(type: ESTree.TSType, scope: Scope): Schema {
    const options = this.#options(type, scope);
    if (this.mode === 'previous') options.push({ schema: { type: 'null' }, consts: {} });
    return oneOf(options);
  }
}

/** A page of a list. Source: https://docs.stripe.com/api/pagination */
export const listOf = (items: Schema, isWhole = true): Schema => ({
  type: 'object',
  properties: {
    object: { const: 'list' },
    data: { type: 'array', items },
    has_more: { type: 'boolean' },
    url: { type: 'string' },
  },
  required: isWhole ? ['object', 'data', 'has_more', 'url'] : [],
  additionalProperties: false,
});

export const schemas = {
  plain: new Schemas('plain'),
  expanded: new Schemas('expanded'),
  previous: new Schemas('previous'),
  form: new Schemas('form'),
};
