import { parseDuration } from './duration.ts';
import { compileRetryDelay, type RetryDelay } from './expression.ts';
import { checkQuota } from './plan.ts';
import { notPlayed, Refusal, Unsendable } from './problem.ts';

/** Limits of a flow-control key: deliveries at once, and starts per period (scaled ms). */
export type Limits = {
  parallelism?: number | undefined;
  rate?: number | undefined;
  periodMs?: number | undefined;
};

/** Header values by canonical name (`Content-Type`), as QStash shows them. */
export type HeaderMap = Record<string, string[]>;

/** No headers yet; without a prototype, since one may be named `__proto__`. */
export const noHeaders = (): HeaderMap => Object.create(null) as HeaderMap;

/** What one message asks for; everything absent takes QStash's default. */
export type Settings = {
  method?: string;
  header: HeaderMap;
  retries?: number;
  retryDelay?: RetryDelay;
  delayMs?: number;
  /** Unix ms; takes precedence over the delay. */
  notBefore?: number;
  timeoutMs?: number;
  labels?: string[];
  flowKey?: string;
  limits?: Limits;
  deduplicationId?: string;
  contentBased?: boolean;
  redact?: string[];
  callback?: string;
  callbackSettings?: Settings;
  failureCallback?: string;
  failureSettings?: Settings;
};

type Reader = (value: string, name: string) => Partial<Settings>;

const invalid = (name: string, value: string) => new Refusal(400, `invalid ${name}: ${value}`);

/** The backend's name check for labels and flow-control keys (upstash/workflow-js #196). */
const resourceName = /^[a-zA-Z0-9\-_.]+$/;

function decoded(text: string, malformed: Refusal): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed;
  }
}

/**
 * The destination as given, raw or percent-encoded; anything but an http(s) URL is a 400 (of the
 * message alone: it might name a URL group, which are not offered here).
 */
export function parseDestination(text: string, what = 'destination'): string {
  const Problem = what === 'destination' ? Unsendable : Refusal;
  const refusal = (why: string) => new Problem(400, `invalid ${what} url: ${why}`);
  const malformed = refusal('unable to parse');
  const url = /^https?%3A/i.test(text) ? decoded(text, malformed) : text;
  if (!/^https?:\/\//i.test(url))
    throw refusal('endpoint has invalid scheme, add http:// or https://');
  if (!URL.canParse(url)) throw malformed;
  return url;
}

/** `parallelism=2, rate=10, period=1m` in any order and case; period in seconds or as a duration. */
export function parseLimits(value: string, name: string): Limits {
  const limits: Limits = {};
  for (const part of value.split(',')) {
    const [key = '', text = '', ...rest] = part.trim().split('=');
    const whole = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
    const periodMs = whole === undefined ? parseDuration(text) : whole * 1_000;
    const kind = key.toLowerCase();
    if (rest.length > 0) throw invalid(name, value);
    if (kind === 'parallelism' && whole) limits.parallelism = whole;
    else if (kind === 'rate' && whole) limits.rate = whole;
    else if (kind === 'period' && periodMs) limits.periodMs = periodMs;
    else throw invalid(name, value);
  }
  if (limits.periodMs !== undefined && limits.rate === undefined) throw invalid(name, value);
  return limits;
}

function whole(value: string, name: string): number {
  if (!/^\d{1,15}$/.test(value)) throw invalid(name, value);
  return Number(value);
}

function duration(value: string, name: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw invalid(name, value);
  return ms;
}

function listed(value: string, name: string, form: RegExp): string[] {
  const items = value.split(',').map((item) => item.trim());
  if (!items.every((item) => form.test(item))) throw invalid(name, value);
  return items;
}

/** Settings that a callback may have too, under `Upstash-Callback-…`. */
const common: Record<string, Reader> = {
  method: (value, name) => {
    if (!/^(?:GET|POST|PUT|PATCH|DELETE)$/.test(value)) throw invalid(name, value);
    return { method: value };
  },
  retries: (value, name) => {
    const retries = whole(value, name);
    checkQuota('maxRetries', retries);
    return { retries };
  },
  'retry-delay': (value) => ({ retryDelay: compileRetryDelay(value) }),
  delay: (value, name) => {
    const delayMs = duration(value, name);
    checkQuota('maxDelay', delayMs / 1_000);
    return { delayMs };
  },
  timeout: (value, name) => {
    const timeoutMs = duration(value, name);
    if (timeoutMs === 0) throw invalid(name, value);
    return { timeoutMs };
  },
  label: (value, name) => ({ labels: listed(value, name, resourceName) }),
  'flow-control-key': (value, name) => {
    if (!resourceName.test(value)) throw invalid(name, value);
    return { flowKey: value };
  },
  'flow-control-value': (value, name) => ({ limits: parseLimits(value, name) }),
};

const top: Record<string, Reader> = {
  ...common,
  'not-before': (value, name) => {
    const notBefore = whole(value, name) * 1_000;
    checkQuota('maxDelay', (notBefore - Date.now()) / 1_000);
    return { notBefore };
  },
  'deduplication-id': (value, name) => {
    if (value.includes(':')) throw new Refusal(400, "DeduplicationId cannot contain ':'");
    if (value === '' || /\s/.test(value)) throw invalid(name, value);
    return { deduplicationId: value };
  },
  'content-based-deduplication': (value, name) => {
    if (value !== 'true' && value !== 'false') throw invalid(name, value);
    return { contentBased: value === 'true' };
  },
  'redact-fields': (value, name) => ({
    redact: listed(value, name, /^(?:body|headers?|headers?\[[^\]]+\])$/),
  }),
  callback: (value) => ({ callback: parseDestination(value, 'callback') }),
  'failure-callback': (value) => ({ failureCallback: parseDestination(value, 'failure callback') }),
};

// What the SDK says of itself, on any route.
export const telemetry = /^upstash-telemetry-(?:sdk|platform|runtime)$/;

/** `test-header` → `Test-Header`, the way a Go server names headers. */
export const canonical = (name: string): string =>
  name.toLowerCase().replaceAll(/(?:^|-)[a-z]/g, (initial) => initial.toUpperCase());

function readOne(into: Settings, readers: Record<string, Reader>, key: string, value: string) {
  if (key.startsWith('forward-')) {
    into.header[canonical(key.slice('forward-'.length))] = [value];
    return;
  }
  const reader = Object.hasOwn(readers, key) ? readers[key] : undefined;
  if (!reader) throw notPlayed(`header Upstash-${canonical(key)}`);
  Object.assign(into, reader(value.trim(), `Upstash-${canonical(key)}`));
}

function checkFlow(settings: Settings | undefined): void {
  if (settings && (settings.flowKey === undefined) !== (settings.limits === undefined))
    throw new Refusal(400, 'flow control needs both its key and its value');
}

/**
 * Reads the `Upstash-*` headers of a message (names in any case); other headers but `Content-Type`
 * are the transport's and ignored. `extra` names headers that the route reads itself.
 * Unknown `Upstash-*` header or malformed value → 400; over a quota of the plan → 412.
 */
export function parseSettings(headers: Iterable<[string, string]>, extra: string[] = []): Settings {
  const settings: Settings = { header: noHeaders() };
  for (const [rawName, value] of headers) {
    const name = rawName.toLowerCase();
    if (name === 'content-type') settings.header['Content-Type'] = [value];
    if (!name.startsWith('upstash-') || telemetry.test(name) || extra.includes(name)) continue;
    const key = name.slice('upstash-'.length);
    if (key.startsWith('callback-'))
      readOne((settings.callbackSettings ??= { header: noHeaders() }), common, key.slice(9), value);
    else if (key.startsWith('failure-callback-'))
      readOne((settings.failureSettings ??= { header: noHeaders() }), common, key.slice(17), value);
    else readOne(settings, top, key, value);
  }
  for (const each of [settings, settings.callbackSettings, settings.failureSettings])
    checkFlow(each);
  return settings;
}
