import type { WorkerClient } from './worker-client.ts';

type Schema = {
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  format?: string;
};

type Operation = {
  security?: Record<string, unknown>[];
  requestBody?: { required?: boolean; content: Record<string, { schema?: Schema }> };
};

export type Caller = 'user' | 'admin' | 'stripe' | 'qstash' | 'none';

/** One operation of the Worker's own description. */
export type Route = {
  method: string;
  /** With `{names}` for its parameters. */
  path: string;
  caller: Caller;
  /** The shapes that its JSON body may have; undefined if it takes none. */
  bodies: Schema[] | undefined;
  /** Whether its JSON body may be missing. */
  isBodyOptional: boolean;
  /** The media type of a body that is no JSON. */
  rawBody: string | undefined;
};

/** Every route that /openapi.json lists. */
export async function routesOf(client: WorkerClient): Promise<Route[]> {
  const spec = await client.json<{ paths: Record<string, Record<string, Operation>> }>(
    '/openapi.json',
  );
  return Object.entries(spec.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const content = operation.requestBody?.content ?? {};
      const schema = content['application/json']?.schema;
      return {
        method: method.toUpperCase(),
        path,
        caller: (Object.keys(operation.security?.[0] ?? {})[0] ?? 'none') as Caller,
        bodies: schema && (schema.anyOf ?? [schema]),
        isBodyOptional: operation.requestBody?.required === false,
        rawBody: Object.keys(content).find((type) => type !== 'application/json'),
      };
    }),
  );
}

/** The path with `value` in the place of every parameter. */
export const pathWith = (route: Route, value: string): string =>
  route.path.replaceAll(/\{\w+\}/g, encodeURIComponent(value));

const samples: Record<string, unknown> = { string: 'sample', integer: 1, number: 1, array: ['a'] };

/** The least body of a shape. */
const least = ({ properties = {}, required = [] }: Schema): Record<string, unknown> =>
  Object.fromEntries(required.map((name) => [name, samples[properties[name]?.type ?? '']]));

/** The least body that a route takes: where nothing is required, with a field that is null. */
export function fittingBody({ bodies: [shape = {}] = [], isBodyOptional }: Route) {
  const body = least(shape);
  const [first] = Object.keys(shape.properties ?? {});
  const isEmpty = Object.keys(body).length === 0;
  return isEmpty && !isBodyOptional && first !== undefined ? { [first]: null } : body;
}

/** Bodies that are wrong in one field, with the field's name. */
export const wrongBodies = (route: Route): [field: string, body: Record<string, unknown>][] =>
  (route.bodies ?? []).flatMap((shape) => [
    ...Object.keys(shape.properties ?? {}).map((field): [string, Record<string, unknown>] => [
      field,
      { ...least(shape), [field]: { of: 'no such type' } },
    ]),
    ['nonsense', { ...least(shape), nonsense: 1 }],
  ]);
