import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';

type Schema = { [key: string]: unknown };
type Parameter = { name: string; in: string; required?: boolean; schema: Schema };
type Content = { content?: Record<string, { schema: Schema }> };

/** An operation of QStash's OpenAPI document. */
export type Operation = {
  method: string;
  path: string;
  parameters: Parameter[];
  request: Schema | undefined;
  responses: Record<string, Content>;
};

type Document = {
  paths: Record<
    string,
    Record<
      string,
      { parameters?: Parameter[]; requestBody?: Content; responses: Record<string, Content> }
    >
  >;
  components: { schemas: Record<string, Schema & { properties: Schema }> };
};

const text = readFileSync(new URL('openapi.json', import.meta.url), 'utf8');
const document = JSON.parse(text) as Document;
const { schemas } = document.components;
const jsonOf = (content?: Content) => content?.content?.['application/json']?.schema;

// What the document leaves out. `error` of a message in a batch: features/batch and the SDK's
// `UpstashResponse`; `dlqId` and the retry delay: the SDK's `DlqMessage` and `Message`.
Object.assign(schemas['PublishResponse']?.properties ?? {}, { error: { type: 'string' } });
Object.assign(schemas['DLQMessage']?.properties ?? {}, { dlqId: { type: 'string' } });
for (const name of ['Message', 'DLQMessage'])
  Object.assign(schemas[name]?.properties ?? {}, { retryDelayExpression: { type: 'string' } });

// Parameters that the SDK sends and the document leaves out.
const filters = 'fromDate toDate callerIp label flowControlKey url topicName scheduleId queueName';
const sent: Record<string, string> = {
  'GET /v2/dlq': 'flowControlKey',
  'POST /v2/dlq/retry': 'cursor count',
  'GET /v2/logs': `${filters} messageIds host path`,
};

/** Every operation that the stand-in plays. */
export const operations: Operation[] = Object.entries(document.paths).flatMap(([path, verbs]) =>
  Object.entries(verbs).map(([verb, { parameters = [], requestBody, responses }]) => ({
    method: verb.toUpperCase(),
    path,
    parameters,
    request: jsonOf(requestBody),
    responses,
  })),
);

/** Refuses properties that an object with known ones does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed(value)]),
  );
  return 'properties' in inner && inner['type'] === 'object'
    ? { ...inner, additionalProperties: false }
    : inner;
}

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema({ $id: 'qstash', components: closed(document.components) as Schema });

/** What is wrong with a value, by a schema of the document; undefined when nothing is. */
export function wrong(schema: Schema | string, value: unknown): string | undefined {
  const wanted =
    typeof schema === 'string' ? { $ref: `#/components/schemas/${schema}` } : closed(schema);
  const absolute = JSON.stringify(wanted).replaceAll('"#/', '"qstash#/');
  if (ajv.validate(JSON.parse(absolute) as Schema, value)) return undefined;
  return ajv.errors
    ?.map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
    .join();
}

// The SDK reads logs as events.
const renamed = (path: string) => path.replace(/^\/v2\/events$/, '/v2/logs');

function operationOf(method: string, path: string): Operation | undefined {
  const fits = (operation: Operation) => {
    const form = operation.path.replace('{destination}', '.+').replaceAll(/\{\w+\}/g, '[^/]+');
    return operation.method === method && new RegExp(`^${form}$`).test(renamed(path));
  };
  return operations.find(fits);
}

const publish = operations.find(({ path }) => path.startsWith('/v2/publish/'));
const headersOf = ({ path, parameters }: Operation): Parameter[] =>
  path.startsWith('/v2/dlq/retry') ? (publish?.parameters ?? []) : parameters;

/** What is wrong with the text of a parameter. */
function wrongText({ type, items, enum: choices }: Schema, value: string): boolean {
  const wanted = String((items as Schema | undefined)?.['type'] ?? type);
  if (Array.isArray(choices) && !choices.includes(value)) return true;
  if (wanted === 'integer') return !/^-?\d+(?:,\d+)*$/.test(value);
  return wanted === 'boolean' && !/^(?:true|false)$/.test(value);
}

function wrongHeaders(parameters: Parameter[], headers: Iterable<[string, string]>): string[] {
  const known = parameters.filter((parameter) => parameter.in === 'header');
  return [...headers].flatMap(([name, value]) => {
    const key = name.toLowerCase();
    if (!key.startsWith('upstash-') || key.startsWith('upstash-telemetry-')) return [];
    const exact = known.find((parameter) => parameter.name.toLowerCase() === key);
    const open = known.filter((parameter) => parameter.name.endsWith('*'));
    if (exact) return wrongText(exact.schema, value) ? [`${name}: ${value}`] : [];
    return open.some((each) => key.startsWith(each.name.slice(0, -1).toLowerCase()))
      ? []
      : [`unknown header ${name}`];
  });
}

function wrongQuery(operation: Operation, search: URLSearchParams): string[] {
  const known = operation.parameters.filter((parameter) => parameter.in === 'query');
  const extra = sent[`${operation.method} ${operation.path}`]?.split(' ') ?? [];
  return [...search].flatMap(([name, value]) => {
    const parameter = known.find((each) => each.name === name);
    if (!parameter) return extra.includes(name) ? [] : [`unknown parameter ${name}`];
    return wrongText(parameter.schema, value) ? [`${name}=${value}`] : [];
  });
}

async function wrongRequest(operation: Operation, request: Request): Promise<string[]> {
  const { path } = operation;
  // Behind a destination the query is the destination's.
  const { searchParams } = new URL(request.url);
  const query = path.includes('{destination}') ? [] : wrongQuery(operation, searchParams);
  const problems = [...query, ...wrongHeaders(headersOf(operation), request.headers)];
  if (path !== '/v2/batch') return problems;
  const items = (await request.json()) as { headers?: Record<string, string> }[];
  const body = wrong(operation.request ?? {}, items);
  if (body) problems.push(body);
  for (const { headers = {} } of items)
    problems.push(...wrongHeaders(publish?.parameters ?? [], Object.entries(headers)));
  return problems;
}

function wrongAnswer(operation: Operation | undefined, status: number, body: string): string[] {
  if (status >= 400) return [wrong('Error', JSON.parse(body)) ?? []].flat();
  // A duplicate: https://upstash.com/docs/qstash/features/deduplication
  const documented = operation?.responses[status === 202 && operation === publish ? 200 : status];
  if (!documented) return [`undocumented status ${status}`];
  const schema = jsonOf(documented);
  if (!schema) return body === '' ? [] : [`unexpected body ${body}`];
  return [wrong(schema, JSON.parse(body)) ?? []].flat();
}

/** What is wrong with a call and its answer by QStash's description. */
export async function wrongExchange(request: Request, response: Response): Promise<string[]> {
  const { pathname } = new URL(request.url);
  const operation = operationOf(request.method, pathname);
  const body = (await response.text()).replace(
    pathname === '/v2/events' ? '"events":' : /^$/,
    pathname === '/v2/events' ? '"logs":' : '',
  );
  const problems = wrongAnswer(operation, response.status, body);
  // What was refused may well be wrong.
  if (operation && response.status < 400)
    problems.push(...(await wrongRequest(operation, request)));
  return problems.map((problem) => `${request.method} ${pathname} ${response.status}: ${problem}`);
}
