import { html, raw } from 'hono/html';
import { meanings } from '../http/problem.ts';

type Schema = {
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  description?: string;
  required?: string[];
  $ref?: string;
};
type Content = Record<string, { schema?: Schema }>;
type Operation = {
  tags?: string[];
  summary?: string;
  description?: string;
  security?: Record<string, unknown>[];
  parameters?: { name: string; in: string; required?: boolean; schema?: Schema }[];
  requestBody?: { description?: string; content: Content };
  responses?: Record<string, { description: string; content?: Content }>;
};
export type Spec = {
  info: { title: string; description?: string };
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
};

/** What is said of a field, also of one that may be null. */
const noteOn = (field: Schema): string | undefined =>
  field.description ?? field.anyOf?.find(({ description }) => description)?.description;

/** A schema as a short type, the way one would write it on a whiteboard. */
function typeOf(schema: Schema | undefined, spec: Spec, depth = 0): string {
  if (!schema) return 'any';
  if (schema.$ref)
    return typeOf(spec.components?.schemas?.[schema.$ref.split('/').at(-1) ?? ''], spec, depth);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf) return schema.anyOf.map((option) => typeOf(option, spec, depth)).join(' | ');
  if (schema.items) return `${typeOf(schema.items, spec, depth)}[]`;
  if (!schema.properties) return [schema.type ?? 'any'].flat().join(' | ');
  const indent = '  '.repeat(depth + 1);
  const fields = Object.entries(schema.properties).map(([name, field]) => {
    const optional = schema.required?.includes(name) ? '' : '?';
    const said = noteOn(field);
    const note = said ? `  // ${said}` : '';
    return `${indent}${name}${optional}: ${typeOf(field, spec, depth + 1)}${note}`;
  });
  return `{\n${fields.join('\n')}\n${'  '.repeat(depth)}}`;
}

const style = `
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent);--soft:color-mix(in srgb,currentColor 6%,transparent)}
body{font:16px/1.55 system-ui,sans-serif;max-width:58rem;margin:0 auto;padding:2rem 1.2rem 6rem}
h1{font-size:2rem;margin:0}h2{margin:3rem 0 .5rem;font-size:1.3rem}
article{border:1px solid var(--line);border-radius:10px;margin:1rem 0;padding:1rem 1.2rem}
article h3{margin:0;font:600 1rem ui-monospace,monospace;overflow-wrap:anywhere}
.verb{display:inline-block;min-width:4.2em}.who{float:right;font:500 .8rem system-ui;opacity:.7}
pre{background:var(--soft);padding:.7rem .9rem;border-radius:8px;overflow:auto;font-size:.85rem;margin:.4rem 0}
code{font-family:ui-monospace,monospace;font-size:.9em}p{margin:.4rem 0}dt{font-weight:600;margin-top:.6rem}dd{margin:0}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
nav a{margin-right:1rem}`;

/** Backticks become code; everything else is text. */
const prose = (text: string) =>
  text.split('`').map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));

const bodyOf = (content: Content | undefined, spec: Spec) =>
  Object.entries(content ?? {}).map(([type, { schema }]) =>
    schema ? html`<pre>${typeOf(schema, spec)}</pre>` : html`<p><code>${type}</code></p>`,
  );

function operationOf(path: string, verb: string, operation: Operation, spec: Spec) {
  const who = Object.keys(operation.security?.[0] ?? {})[0] ?? 'anybody';
  const parameters = (operation.parameters ?? []).map(
    (parameter) =>
      html`<li>
        <code>${parameter.name}</code> (${parameter.in}):
        <code>${typeOf(parameter.schema, spec)}</code>
      </li>`,
  );
  const responses = Object.entries(operation.responses ?? {}).map(
    ([status, answer]) =>
      html`<dt>${status}</dt>
        <dd>
          ${prose(answer.description)}${Number(status) < 400 ? bodyOf(answer.content, spec) : ''}
        </dd>`,
  );
  return html`<article id="${verb}-${path}">
    <h3><span class="who">${who}</span><span class="verb">${verb.toUpperCase()}</span>${path}</h3>
    <p><strong>${operation.summary ?? ''}</strong></p>
    <p>${prose(operation.description ?? '')}</p>
    ${
      parameters.length > 0
        ? html`<ul>
            ${parameters}
          </ul>`
        : ''
    }
    ${
      operation.requestBody
        ? html`<p>Body: ${operation.requestBody.description ?? ''}</p>
            ${bodyOf(operation.requestBody.content, spec)}`
        : ''
    }
    <dl>${responses}</dl>
  </article>`;
}

/** The reference as one page: no scripts, nothing loaded from elsewhere. */
export function docsPage(spec: Spec) {
  const operations = Object.entries(spec.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ path, verb, operation })),
  );
  const tags = [...new Set(operations.map(({ operation }) => operation.tags?.[0] ?? 'Other'))];
  const sections = tags.map(
    (tag) =>
      html`<h2 id="${tag}">${tag}</h2>
        ${operations
          .filter(({ operation }) => (operation.tags?.[0] ?? 'Other') === tag)
          .map(({ path, verb, operation }) => operationOf(path, verb, operation, spec))}`,
  );
  const errors = Object.entries(meanings).map(
    ([code, meaning]) =>
      html`<tr id="error-${meaning.code ?? code}">
        <td><code>${meaning.code ?? code}</code></td>
        <td>${meaning.status}</td>
        <td>${meaning.title}</td>
      </tr>`,
  );
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${spec.info.title} API</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <h1>${spec.info.title} API</h1>
        <p>${prose(spec.info.description ?? '')}</p>
        <nav>
          ${tags.map((tag) => html`<a href="#${tag}">${tag}</a>`)}<a href="#errors">Errors</a
          ><a href="/openapi.json">openapi.json</a>
        </nav>
        ${sections}
        <h2 id="errors">Errors</h2>
        <table>
          <tr>
            <th>code</th>
            <th>status</th>
            <th>meaning</th>
          </tr>
          ${errors}
        </table>
      </body>
    </html>`;
}
