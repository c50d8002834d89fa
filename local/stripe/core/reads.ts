import { isWithin, listOf, pageOf, type Moments } from './list.ts';
import { page, type Rule } from './params.ts';
import { missing } from './problem.ts';
import { route, type Route } from './route.ts';
import type { Tables } from './store.ts';

type Rules = Record<string, Rule<unknown>>;
type Of<R> = R extends Rule<infer T> ? T : never;
type Matches<T, S extends Rules> = { [P in keyof S]?: (one: T, wanted: Of<S[P]>) => boolean };

/** The id that a filter asks for: itself, or in `payment: {type, payment_intent}`. */
const ownerIn = (wanted: unknown): string =>
  typeof wanted === 'string'
    ? wanted
    : ((wanted as { payment_intent?: string }).payment_intent ?? '');

/**
 * `GET path/:id` and `GET path`, newest first; of a path below another object (`/:customer/…`), only
 * those whose field of that name holds its id. Each filter compares the field of its own name, and
 * `created` is a range, unless `matches` says how a filter is read; `isHidden` leaves objects out.
 */
export function reads<K extends keyof Tables, S extends Rules>(
  kind: K,
  path: string,
  filters: S,
  matches: Matches<Tables[K], S> = {},
  isHidden: (one: Tables[K], params: Record<string, unknown>) => boolean = () => false,
): Route[] {
  const testOf = ([name, wanted]: [string, unknown]): ((one: Tables[K]) => boolean) => {
    const match = matches[name] as ((one: Tables[K], wanted: unknown) => boolean) | undefined;
    if (match) return (one) => match(one, wanted);
    const read = (one: Tables[K]): unknown => (one as Record<string, unknown>)[name];
    return name === 'created'
      ? (one) => isWithin(read(one) as number, wanted as Moments)
      : (one) => (read(one) ?? null) === wanted;
  };
  const parent = /:(\w+)/.exec(path)?.[1] ?? '';
  const isBelow = (one: Tables[K], id: string): boolean =>
    parent === '' || (one as Record<string, unknown>)[parent] === id;
  return [
    route('GET', `${path}/:id`, {}, ({ world, id, ids }) => {
      const found = world.store.need(kind, ids.at(-1) ?? '');
      if (!isBelow(found, id)) throw missing(kind, found.id);
      return found;
    }),
    route('GET', path, { ...page, ...filters }, ({ world, id, params }) => {
      const wanted = Object.entries(params).filter(([name]) => Object.hasOwn(filters, name));
      const tests = wanted.map(testOf);
      const passes = (one: Tables[K]): boolean =>
        !('deleted' in one) &&
        isBelow(one, id) &&
        !isHidden(one, params) &&
        tests.every((test) => test(one));
      const url = path.replace(`:${parent}`, id);
      const table = world.store.table(kind);
      const link = [...wanted, [parent, id] as const].find(([name]) => table.hasLink(name));
      if (!link) return pageOf(table, passes, params as { created?: Moments }, url);
      const things = world.store.of(kind, link[0], ownerIn(link[1])).filter(passes);
      return listOf(things, params as { limit?: number }, url);
    }),
  ];
}
