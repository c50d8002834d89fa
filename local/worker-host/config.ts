import type { Build } from './build.ts';

/** Bindings reach workerd through its environment: no secret is ever written to a file. */
export const bindingPrefix = 'ROWLOOM_BINDING_';

/** workerd hands out scheduled events to service bindings only; this Worker turns a call into one. */
export const cronWorker = `export default {
  async fetch(request, env) {
    const cron = new URL(request.url).searchParams.get('cron');
    return Response.json(await env.WORKER.scheduled({ cron, scheduledTime: new Date() }));
  },
};
`;

const moduleKinds: Record<string, string> = {
  js: 'esModule',
  mjs: 'esModule',
  wasm: 'wasm',
  txt: 'text',
  html: 'text',
  sql: 'text',
};

const quote = (text: string): string => JSON.stringify(text);

function moduleEntry(name: string): string {
  const kind = moduleKinds[name.slice(name.lastIndexOf('.') + 1)] ?? 'data';
  return `(name = ${quote(name)}, ${kind} = embed ${quote(`bundle/${name}`)})`;
}

/**
 * The configuration of workerd (its own capnp form) for one Worker and its cron trigger.
 * @see https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp
 */
export function workerdConfig(input: {
  build: Build;
  bindings: string[];
  port: number;
  cronPort: number;
  /** Of the whole process, as `--max-heap-size=100`. */
  v8Flags?: readonly string[] | undefined;
}): string {
  const { compatibilityDate, compatibilityFlags } = input.build.settings;
  const v8Flags = (input.v8Flags ?? []).map(quote).join(', ');
  const bindings = input.bindings.map(
    (name) => `(name = ${quote(name)}, fromEnvironment = ${quote(bindingPrefix + name)})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  logging = (structuredLogging = true),
  v8Flags = [${v8Flags}],
  services = [
    (name = "worker", worker = (
      modules = [${input.build.modules.map(moduleEntry).join(', ')}],
      compatibilityDate = ${quote(compatibilityDate)},
      compatibilityFlags = [${compatibilityFlags.map(quote).join(', ')}],
      bindings = [${bindings.join(', ')}],
      globalOutbound = "internet")),
    (name = "cron", worker = (
      modules = [(name = "cron.js", esModule = embed "cron.js")],
      compatibilityDate = ${quote(compatibilityDate)},
      compatibilityFlags = ["service_binding_extra_handlers"],
      bindings = [(name = "WORKER", service = "worker")])),
    (name = "internet", network = (
      allow = ["public", "private", "local"],
      tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:${input.port}", http = (), service = "worker"),
    (name = "cron", address = "127.0.0.1:${input.cronPort}", http = (), service = "cron"),
  ],
);
`;
}
