import { expect, test } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { createCtx } from '../../functions/context.ts';
import { parseEnv } from '../../functions/env.ts';
import { testEnv } from '../support/ctx.ts';

type Schema = {
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
};
type Content = { content?: Record<string, { schema?: Schema }> };
type Operation = {
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content & { description: string }>;
};

const nowhere = 'http://127.0.0.1:9';
const config = parseEnv(testEnv('postgres://nobody@127.0.0.1:9/none', nowhere));
const app = createApp({ ...createCtx(config), log: () => {} });
const { paths } = (await (await app.request('/openapi.json')).json()) as {
  paths: Record<string, Record<string, Operation>>;
};
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    operation,
    body: operation.requestBody?.content?.['application/json']?.schema,
  })),
);
const withJson = operations.filter(({ body }) => body !== undefined);

/** Of one that may be null, the other option may say it. */
const isExplained = ({ description, anyOf = [] }: Schema): boolean =>
  description !== undefined || anyOf.some(isExplained);

/** Fields without a word about them, by their whole names. */
function unexplained(schema: Schema | undefined, name: string): string[] {
  if (!schema) return [];
  const fields = Object.entries(schema.properties ?? {}).flatMap(([key, field]) => [
    ...(isExplained(field) ? [] : [`${name}.${key}`]),
    ...unexplained(field, `${name}.${key}`),
  ]);
  const options = (schema.anyOf ?? []).flatMap((option) => unexplained(option, name));
  return [...fields, ...options, ...unexplained(schema.items, `${name}[]`)];
}

test('says of every field of a job and a sender what it is', () => {
  const bodies = withJson.filter(({ name }) => /\/v1\/(?:jobs|me)\b/.test(name));
  expect(bodies.map(({ name }) => name).toSorted()).toEqual([
    'PATCH /v1/jobs/{id}',
    'POST /v1/jobs',
    'POST /v1/jobs/{id}/retry',
    'POST /v1/jobs/{id}/sample',
    'PUT /v1/me/sender',
  ]);
  expect(bodies.flatMap(({ name, body }) => unexplained(body, name))).toEqual([]);
});

test('tells which bodies may be missing', () => {
  const optional = withJson.filter(({ operation }) => operation.requestBody?.required !== true);
  expect(optional.map(({ name, body }) => [name, Object.keys(body?.properties ?? {})])).toEqual([
    ['POST /v1/jobs/{id}/retry', ['rows', 'prompt']],
    ['POST /v1/jobs/{id}/sample', ['rows']],
  ]);
});

test.each(withJson)('$name: says how its body may be refused', ({ operation: { responses } }) => {
  expect(responses['400']?.description).toContain('`invalid_json`');
  expect(responses['413']?.description).toContain('`too_large`');
  expect(responses['422']?.description).toContain('`invalid_request`');
});

test('promises refusals as problems alone, with what the caller is to read in them', () => {
  const refusals = operations.flatMap(({ operation }) =>
    Object.entries(operation.responses).filter(([status]) => Number(status) >= 400),
  );
  for (const [, { content = {} }] of refusals)
    expect(Object.keys(content)).toEqual(['application/problem+json']);
  const [, refusal] = refusals[0] ?? [];
  const fields = refusal?.content?.['application/problem+json']?.schema?.properties ?? {};
  expect(Object.keys(fields)).toEqual(
    expect.arrayContaining(['errors', 'jobStatus', 'limitBytes', 'required', 'balance', 'jobId']),
  );
});
