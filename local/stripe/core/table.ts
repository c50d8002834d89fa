import type { Thing } from './types.ts';

/** What an object of a kind is looked up by beside its id: a name and the id that it gives. */
export type Links = Record<string, (thing: Thing) => unknown>;

/** Objects of one kind in the order in which they came to be, found by id or by what they belong to. */
export class Table {
  /** A removed one leaves a hole, so that places stay as they are. */
  readonly slots: (Thing | undefined)[] = [];
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
    for (const [name, read] of Object.entries(this.#links)) {
      const owner = read(thing);
      if (typeof owner !== 'string') continue;
      const key = `${name} ${owner}`;
      const places = this.#linked.get(key);
      if (places) places.add(place);
      else this.#linked.set(key, new Set([place]));
    }
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
