import { hash, list, str, type Rule, type Values } from './params.ts';
import type { Raw } from './form.ts';
import type { World } from './world.ts';

type Method = 'GET' | 'POST' | 'DELETE';
type Rules = Record<string, Rule<unknown>>;
/** What a route is given: the world, the ids in its path, its parameters. */
type Call<P> = { world: World; ids: string[]; id: string; params: P };
type Answer = Record<string, unknown>;

/** One route of the API. `run` is synchronous: a request is one uninterrupted step. */
export type Route = {
  method: Method;
  /** Path with `:` before each id: `/v1/prices/:price`. */
  path: string;
  /** The parameters that it takes. */
  rules: Rules;
  run: (
    world: World,
    ids: string[],
    raw: Record<string, Raw>,
  ) => { answer: Answer; expand: string[] };
};

/** Declares a route; parameters that `rules` does not name are refused. */
export function route<S extends Rules>(
  method: Method,
  path: string,
  rules: S,
  run: (call: Call<Values<S>>) => Answer,
): Route {
  const all = hash({ ...rules, expand: list(str) });
  return {
    method,
    path,
    rules,
    run(world, ids, raw) {
      const { expand = [], ...params } = all.read(raw, '') as Record<string, unknown> & {
        expand?: string[];
      };
      const call = { world, ids, id: ids[0] ?? '', params: params as Values<S> };
      return { answer: run(call), expand };
    },
  };
}
