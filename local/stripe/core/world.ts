import type { Clock } from './clock.ts';
import { newId } from './ids.ts';
import type { Store } from './store.ts';
import type { StripeEvent, Thing } from './types.ts';

/** Who asked for what is happening now; null for the clock and the hosted pages. */
type Cause = { id: string | null; idempotency_key: string | null };

/** One running stand-in, handed to every step. */
export class World {
  readonly store: Store;
  readonly clock: Clock;
  readonly apiVersion: string;
  /** Where the stand-in listens, for hosted pages. */
  base = '';
  /** Nothing falls due before this unix second, unless something changes first. */
  quietUntil = 0;
  cause: Cause = { id: null, idempotency_key: null };
  /** Told of every event once it is stored. */
  onEvent: (event: StripeEvent) => void = () => undefined;
  #isSilent = false;
  #held: { type: string; object: Thing; previous: Record<string, unknown> | undefined }[] | null =
    null;

  constructor(input: { store: Store; clock: Clock; apiVersion: string }) {
    this.store = input.store;
    this.clock = input.clock;
    this.apiVersion = input.apiVersion;
  }

  /** Stores an event with the object as it is at this moment, and lets it be delivered. */
  emit(type: string, object: Thing, previous?: Record<string, unknown>): void {
    if (this.#isSilent) return;
    const snapshot = structuredClone(object);
    if (this.#held) {
      this.#held.push({ type, object: snapshot, previous });
      return;
    }
    const event = this.store.add('event', this.clock.now(), {
      id: newId('event'),
      api_version: this.apiVersion,
      data: previous ? { object: snapshot, previous_attributes: previous } : { object: snapshot },
      request: { ...this.cause },
      type,
    });
    this.onEvent(event);
  }

  /** Runs `play` without an event. */
  silently(play: () => void): void {
    this.#isSilent = true;
    try {
      play();
    } finally {
      this.#isSilent = false;
    }
  }

  /**
   * Runs `play` and then emits its events in the order of `types` (events of one type keep theirs,
   * unnamed types come last): Stripe's order is not the order in which state changes.
   */
  inOrder<R>(types: readonly string[], play: () => R): R {
    const outer = this.#held;
    const held: NonNullable<typeof outer> = [];
    this.#held = held;
    try {
      return play();
    } finally {
      this.#held = outer;
      const rank = (type: string): number =>
        (types.indexOf(type) + types.length + 1) % (types.length + 1);
      for (const { type, object, previous } of held.toSorted((a, b) => rank(a.type) - rank(b.type)))
        this.emit(type, object, previous);
    }
  }

  /** Changes an object and emits each type with its `previous_attributes`; without a change, nothing. */
  change<O extends Thing>(types: string | string[], object: O, edit: (object: O) => void): O {
    if (this.#isSilent) {
      edit(object);
      return object;
    }
    const before = structuredClone(object);
    edit(object);
    const previous = differences(before, object);
    if (previous) for (const type of [types].flat()) this.emit(type, object, previous);
    return object;
  }
}

const isHash = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The old values of what changed; hashes go key by key, lists whole. */
export function differences(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): Record<string, unknown> | undefined {
  const found: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[key], after[key]];
    if (JSON.stringify(old) === JSON.stringify(now)) continue;
    const inner = isHash(old) && isHash(now) ? differences(old, now) : undefined;
    found[key] = inner ?? old ?? null;
  }
  return Object.keys(found).length > 0 ? found : undefined;
}
