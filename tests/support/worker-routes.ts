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
  requestBody?: { content: Record<string, { schema?: Schema }> };
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

/** Bodies that are wrong in one field, with the field's name. */
export const wrongBodies = (route: Route): [field: string, body: Record<string, unknown>][] =>
  (route.bodies ?? []).flatMap((shape) => [
    ...Object.keys(shape.properties ?? {}).map((field): [string, Record<string, unknown>] => [
      field,
      { ...least(shape), [field]: { of: 'no such type' } },
    ]),
    ['nonsense', { ...least(shape), nonsense: 1 }],
  ]);
