import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { find, type Found, moduleOf } from './declarations.ts';
import { kinds } from './kinds.ts';
import { operationOf } from './operations.ts';
import { listOf, type Mode, schemas } from './schema.ts';
import { constsOf, type Schema } from './shapes.ts';

type Thing = Record<string, unknown>;

/** Quick to compile rather than quick to run: every test file compiles what it needs anew. */
const ajv = new Ajv({
  allErrors: true,
  strict: false,
  validateSchema: false,
  inlineRefs: false,
  verbose: true,
  code: { optimize: false },
});
const validators = new Map<string, ValidateFunction>();

function validator(key: string, make: () => Schema): ValidateFunction {
  const known = validators.get(key);
  if (known) return known;
  const schema = make();
  for (const { made } of Object.values(schemas))
    for (const each of made.splice(0)) ajv.addSchema(each);
  const made = ajv.compile(schema);
  validators.set(key, made);
  return made;
}

/** What is wrong, each with its path below `name`: `invoice.lines.data[0].foo: unexpected property`. */
function problems(name: string, check: ValidateFunction, value: unknown): string[] {
  if (check(value)) return [];
  const told = (check.errors ?? [])
    .filter(({ keyword, schemaPath }) => keyword !== 'if' && !schemaPath.includes('/anyOf/'))
    .map((error) => tell(name, error));
  return [...new Set(told)];
}

function tell(name: string, { keyword, instancePath, params, data, schema }: ErrorObject): string {
  const path = name + instancePath.replaceAll(/\/(\d+)(?=\/|$)/g, '[$1]').replaceAll('/', '.');
  const shown = JSON.stringify(data)?.slice(0, 60);
  if (keyword === 'additionalProperties')
    return `${path}.${String(params['additionalProperty'])}: unexpected property`;
  if (keyword === 'required') return `${path}.${String(params['missingProperty'])}: missing`;
  if (keyword === 'enum' || keyword === 'const')
    return `${path}: ${shown} is not ${JSON.stringify(schema)}`;
  if (keyword === 'type') return `${path}: ${shown} is no ${String(schema)}`;
  return `${path}: ${shown} fits none of ${JSON.stringify(schema)}`;
}

function shapeOf(file: string, name: string, mode: Mode): Schema {
  const found = find(moduleOf(`resources/${file}`), name.split('.'));
  if (!found) throw new Error(`${file}: ${name} is not declared`);
  return schemas[mode].named(found);
}

/**
 * What is wrong with an object, by its `object`; lists are followed, deleted ones are stubs.
 * References may be expanded where Stripe expands them.
 */
export function validateObject(thing: unknown, mode: Mode = 'expanded'): string[] {
  const { object, deleted, data, ...rest } = thing as Thing & { object?: string };
  if (object === 'event') return validateEvent(thing);
  if (object === 'list') {
    const page = validator('list', () => listOf({}));
    const items = (data as unknown[]).flatMap((each) => validateObject(each, mode));
    return [...problems('list', page, { object, data, ...rest }), ...items];
  }
  const [file, type] = kinds[String(object)] ?? [];
  if (file === undefined || type === undefined)
    return [`${String(object)}: unknown kind of object`];
  const name = deleted === true ? `Deleted${type}` : type;
  const check = validator(`${mode}:${file}:${name}`, () => shapeOf(file, name, mode));
  return problems(String(object), check, thing);
}

/** The declaration of an event by its type, once each. */
const eventOf = (type: string): Found | undefined => {
  const scope = moduleOf('resources/Events');
  return [...scope.names.keys()]
    .map((name) => find(scope, [name]))
    .find((found) => found?.scope === scope && constsOf(found)['type'] === type);
};

/** What is wrong with an event: its envelope, the object in it, what it says of before. */
export function validateEvent(event: unknown): string[] {
  const { type } = event as { type: string };
  const key = `event:${type}`;
  const found = validators.has(key) ? undefined : eventOf(type);
  if (!found && !validators.has(key)) return [`event.type: Stripe tells of no ${type}`];
  return problems(
    type,
    validator(key, () => (found ? schemas.plain.named(found) : {})),
    event,
  );
}

/**
 * What is wrong with the body of a refusal: the shape is that of `last_payment_error`, which is one.
 * Source: https://docs.stripe.com/api/errors
 */
export function validateRefusal(body: unknown): string[] {
  const check = validator('refusal', () => ({
    type: 'object',
    properties: { error: shapeOf('PaymentIntents', 'PaymentIntent.LastPaymentError', 'expanded') },
    required: ['error'],
    additionalProperties: false,
  }));
  return problems('refusal', check, body);
}

/** A request as it came over the wire: values are text, lists are hashes of `0`, `1`, … */
export type Request = { method: string; path: string; params?: Record<string, unknown> };

/** What is wrong with the parameters of a request. */
export function validateParams({ method, path, params = {} }: Request): string[] {
  const found = operationOf(method, path);
  if (!found) return [`${method} ${path}: Stripe has no such operation`];
  const key = `${method} ${found.path}`;
  const check = validator(key, () =>
    found.params
      ? schemas.form.of(found.params, found.scope)
      : { type: 'object', additionalProperties: false },
  );
  return problems(key, check, params);
}

/** What is wrong with the answer to a request that was not refused; it expands what was asked for. */
export function validateAnswer(request: Request, body: unknown): string[] {
  const { method, path, params = {} } = request;
  const found = operationOf(method, path);
  if (!found) return [`${method} ${path}: Stripe has no such operation`];
  if (found.scope.file === 'resources/Events') return validateObject(body);
  const key = `${method} ${found.path}`;
  const mode = 'expand' in params ? 'expanded' : 'plain';
  const check = validator(`${key} ${mode}`, () => {
    const one = schemas[mode].of(found.answer, found.scope);
    return found.isList ? listOf(one) : one;
  });
  return problems(key, check, body);
}
