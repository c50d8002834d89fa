import { isWithin, listOf, pageOf, type Moments } from './list.ts';
import { page, type Rule } from './params.ts';
import { missing } from './problem.ts';
import { route, type Route } from './route.ts';
import type { Tables } from './store.ts';

type Rules = Record<string, Rule<unknown>>;
type Of<R> = R extends Rule<infer T> ? T : never;
type Matches<T, S extends Rules> = { [P in keyof S]?: (one: T, wanted: Of<S[P]>) => boolean };

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
  const test = (one: Tables[K], name: string, wanted: unknown): boolean => {
    const match = matches[name] as ((one: Tables[K], wanted: unknown) => boolean) | undefined;
    if (match) return match(one, wanted);
    const value = (one as Record<string, unknown>)[name];
    return name === 'created'
      ? isWithin(value as number, wanted as Moments)
      : (value ?? null) === wanted;
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
      const passes = (one: Tables[K]): boolean =>
        !('deleted' in one) &&
        isBelow(one, id) &&
        !isHidden(one, params) &&
        wanted.every(([name, value]) => test(one, name, value));
      const url = path.replace(`:${parent}`, id);
      const table = world.store.table(kind);
      const owners = [...wanted, [parent, id] as const];
      const [link, owner] = owners.find(([name]) => table.hasLink(name)) ?? [];
      if (link === undefined) return pageOf(table, passes, params as { limit?: number }, url);
      const things = world.store.of(kind, link, String(owner)).filter(passes);
      return listOf(things, params as { limit?: number }, url);
    }),
  ];
}
