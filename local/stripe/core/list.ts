import { invalid, missing } from './problem.ts';
import type { Table } from './table.ts';
import type { List, Thing } from './types.ts';

type Page = {
  limit?: number | undefined;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
};
export type Moments =
  | number
  | {
      gt?: number | undefined;
      gte?: number | undefined;
      lt?: number | undefined;
      lte?: number | undefined;
    };

const at = (things: Thing[], id: string, param: string): number => {
  const index = things.findIndex((thing) => thing.id === id);
  if (index < 0) throw missing(things[0]?.object ?? 'object', id, param);
  return index;
};

/**
 * A page of things given oldest first, in Stripe's list form, newest first.
 * Source: https://docs.stripe.com/api/pagination
 */
export function listOf<T extends Thing>(things: T[], page: Page, url: string): List<T> {
  return listInOrder(things.toReversed(), page, url);
}

/** The same for things that are already in the order of the answer (line items). */
export function listInOrder<T extends Thing>(things: T[], page: Page, url: string): List<T> {
  const limit = readLimit(page);
  if (page.ending_before !== undefined) {
    const end = at(things, page.ending_before, 'ending_before');
    const start = Math.max(0, end - limit);
    return { object: 'list', data: things.slice(start, end), has_more: start > 0, url };
  }
  const start =
    page.starting_after === undefined ? 0 : at(things, page.starting_after, 'starting_after') + 1;
  const data = things.slice(start, start + limit);
  return { object: 'list', data, has_more: start + limit < things.length, url };
}

function readLimit(page: Page): number {
  const limit = page.limit ?? 10;
  if (limit < 1 || limit > 100)
    throw invalid(`Invalid integer: limit must be between 1 and 100`, {
      code: 'parameter_invalid_integer',
      param: 'limit',
    });
  if (page.starting_after !== undefined && page.ending_before !== undefined)
    throw invalid('You may only specify one of these parameters: starting_after, ending_before.');
  return limit;
}

/** The page of a whole table, newest first, of what passes `test`: reads no further than it must. */
export function pageOf<T extends Thing>(
  table: Table,
  test: (thing: T) => boolean,
  page: Page & { created?: Moments },
  url: string,
): List<T> {
  const limit = readLimit(page);
  const [first, last] = table.span(...endsOf(page.created));
  const { starting_after: after, ending_before: before } = page;
  const place = (id: string, param: string): number => {
    const found = table.get(id);
    if (!found || !test(found as T)) throw missing(table.slots[0]?.object ?? 'object', id, param);
    return table.placeOf(id) ?? 0;
  };
  const isUp = before !== undefined;
  let at = last;
  if (after !== undefined) at = Math.min(last, place(after, 'starting_after') - 1);
  if (isUp) at = Math.max(first, place(before, 'ending_before') + 1);
  const data: T[] = [];
  for (; at >= first && at <= last && data.length <= limit; at += isUp ? 1 : -1) {
    const one = table.slots[at] as T | undefined;
    if (one && test(one)) data.push(one);
  }
  const has_more = data.length > limit;
  const shown = data.slice(0, limit);
  return { object: 'list', data: isUp ? shown.reverse() : shown, has_more, url };
}

/** The whole seconds that a range goes from and to. */
function endsOf(range: Moments = {}): [from: number, to: number] {
  if (typeof range === 'number') return [range, range];
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
  return [Math.max(gt + 1, gte), Math.min(lt - 1, lte)];
}

/** Whether a moment lies in `created`, a moment or a range; no range holds every moment. */
export function isWithin(moment: number | undefined, range: Moments | undefined): boolean {
  if (range === undefined) return true;
  const value = moment ?? 0;
  if (typeof range === 'number') return value === range;
  return (
    value > (range.gt ?? -Infinity) &&
    value >= (range.gte ?? -Infinity) &&
    value < (range.lt ?? Infinity) &&
    value <= (range.lte ?? Infinity)
  );
}
