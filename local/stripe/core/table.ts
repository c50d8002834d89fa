import type { Thing } from './types.ts';

/** What an object of a kind is looked up by beside its id: a name and the id that it gives. */
export type Links = Record<string, (thing: Thing) => unknown>;

/** Objects of one kind in the order in which they came to be, found by id or by what they belong to. */
export class Table {
  /** A removed one leaves a hole, so that places stay as they are. */
  readonly slots: (Thing | undefined)[] = [];
  /** When each slot's object came to be, in unix seconds. */
  #times: number[] = [];
  /** Whether the slots are in the order of their times: not where a past was told of later. */
  #isOrdered = true;
  #places = new Map<string, number>();
  #links: Links;
  #linked = new Map<string, Set<number>>();

  constructor(links: Links) {
    this.#links = links;
  }

  get size(): number {
    return this.#places.size;
  }

  get(id: string): Thing | undefined {
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.slots[place];
  }

  /** Where an object stands among `slots`. */
  placeOf(id: string): number | undefined {
    return this.#places.get(id);
  }

  set(id: string, thing: Thing): void {
    const place = this.#places.get(id) ?? this.slots.length;
    this.#places.set(id, place);
    this.slots[place] = thing;
    this.#keepTime(place, thing);
    for (const [name, read] of Object.entries(this.#links)) {
      const owner = read(thing);
      if (typeof owner !== 'string') continue;
      const key = `${name} ${owner}`;
      const places = this.#linked.get(key);
      if (places) places.add(place);
      else this.#linked.set(key, new Set([place]));
    }
  }

  #keepTime(place: number, { created }: Thing): void {
    const times = this.#times;
    times[place] = created ?? times[place] ?? times[place - 1] ?? 0;
    const [before = -Infinity, at, after = Infinity] = [
      times[place - 1],
      times[place],
      times[place + 1],
    ];
    if (at < before || at > after) this.#isOrdered = false;
  }

  /** The first place whose object came to be at `time` or after it; in a table that is in order. */
  #placeAt(time: number): number {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] ?? 0) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first and the last place where there may be objects from between two unix seconds. */
  span(from: number, to: number): [first: number, last: number] {
    if (!this.#isOrdered) return [0, this.slots.length - 1];
    return [this.#placeAt(from), this.#placeAt(to + 1) - 1];
  }

  delete(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.slots[place] = undefined;
    this.#places.delete(id);
  }

  all(): Thing[] {
    return this.slots.filter((thing) => thing !== undefined);
  }

  hasLink(name: string): boolean {
    return Object.hasOwn(this.#links, name);
  }

  /** Those that belong to an object, oldest first. */
  linked(name: string, owner: string): Thing[] {
    const read = this.#links[name];
    return [...(this.#linked.get(`${name} ${owner}`) ?? [])]
      .sort((a, b) => a - b)
      .flatMap((place) => this.slots[place] ?? [])
      .filter((thing) => read?.(thing) === owner);
  }
}
