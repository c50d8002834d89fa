import type { Message } from './message.ts';
import { notPlayed, Refusal } from './problem.ts';

/** What a filter looks at besides the message itself. */
type Facts = { message: Message; time: number; responseStatus?: number; state?: string };

/** A bulk request: by ids, or by filter with a page size and the place to go on from. */
export type Selection = {
  ids: string[] | undefined;
  /** The filters by name, as given. */
  filter: Record<string, string[]>;
  matches: (facts: Facts) => boolean;
  count: number;
  cursor: string | undefined;
};

const inProgress = new Set(['ACTIVE', 'RETRY', 'ERROR']);

const tests: Record<string, (facts: Facts, wanted: string[]) => boolean> = {
  label: ({ message }, wanted) =>
    (message.settings.labels ?? []).some((label) => wanted.includes(label)),
  flowControlKey: ({ message }, wanted) => wanted.includes(message.settings.flowKey ?? ''),
  url: ({ message }, wanted) => wanted.includes(message.url),
  host: ({ message }, wanted) => wanted.includes(new URL(message.url).host),
  path: ({ message }, wanted) => wanted.includes(new URL(message.url).pathname),
  messageId: ({ message }, wanted) => wanted.includes(message.id),
  callerIp: ({ message }, wanted) => wanted.includes(message.callerIp),
  callerIP: ({ message }, wanted) => wanted.includes(message.callerIp),
  fromDate: ({ time }, [from]) => time >= Number(from),
  toDate: ({ time }, [to]) => time <= Number(to),
  responseStatus: ({ responseStatus }, wanted) => wanted.includes(String(responseStatus)),
  state: ({ state = '' }, wanted) =>
    wanted.includes(state) || (wanted.includes('IN_PROGRESS') && inProgress.has(state)),
  // There are no schedules, URL groups and queues here, hence nothing that could match.
  scheduleId: () => false,
  topicName: () => false,
  queueName: () => false,
};

/** Filters that cancelling, logs and the dead-letter queue have in common. */
export const commonFilters =
  'fromDate toDate callerIp callerIP label flowControlKey url topicName scheduleId queueName'.split(
    ' ',
  );

const numeric = new Set(['fromDate', 'toDate', 'count', 'responseStatus']);
// A comma in these belongs to the value.
const whole = new Set(['url', 'path', 'cursor']);

function valuesOf(query: URLSearchParams, name: string): string[] {
  const all = query.getAll(name);
  const values = whole.has(name) ? all : all.flatMap((value) => value.split(','));
  for (const value of values)
    if (value === '' || (numeric.has(name) && !/^\d+$/.test(value)))
      throw new Refusal(400, `invalid query parameter ${name}: ${value}`);
  return values;
}

/**
 * Reads the query of a list or bulk route: values repeated or comma-separated are alternatives,
 * filters are joined with AND, ids override filters. `filters` and `others` name the route's
 * parameters; any other is a 400.
 */
export function parseSelection(
  query: URLSearchParams,
  {
    ids,
    filters,
    others = ['count', 'cursor'],
  }: { ids: string; filters: string[]; others?: string[] },
): Selection {
  const wanted = new Map<string, string[]>();
  for (const name of new Set(query.keys())) {
    if (![ids, ...others, ...filters].includes(name)) throw notPlayed(`parameter ${name}`);
    wanted.set(name, valuesOf(query, name));
  }
  const used = [...wanted].filter(([name]) => Object.hasOwn(tests, name));
  return {
    ids: wanted.get(ids),
    filter: Object.fromEntries(used),
    matches: (facts) => used.every(([name, values]) => tests[name]?.(facts, values)),
    count: Math.min(Number(wanted.get('count')?.[0] ?? 100), 100),
    cursor: wanted.get('cursor')?.[0],
  };
}
