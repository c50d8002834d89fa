import { randomBytes } from 'node:crypto';
import type Stripe from 'stripe';
import { idForms } from '../../../local/stripe/core/ids.ts';
import { differences } from '../../../local/stripe/core/world.ts';
import type { Tables } from '../../../local/stripe/core/store.ts';
import templates from '../../../local/stripe/objects.json' with { type: 'json' };

/** Stripe's objects as the stand-in keeps them: the SDK's types, with ids, text and plain lists. */
export type { Tables as Kinds };
type Kind = keyof Tables;
export type Price = Tables['price'];
/** What a price is to a story: the plan, a dearer one, a pack. */
export type Role = 'plan' | 'bigger' | 'pack';
export type Thing = { id: string; object: string };

/** A snapshot event, as it is delivered. Source: https://docs.stripe.com/api/events/object */
export type StoryEvent = Omit<Stripe.EventBase, 'type' | 'data'> & {
  type: string;
  data: { object: Thing; previous_attributes?: object };
};
/** A thin event, as it is delivered. Source: https://docs.stripe.com/api/v2/core/events/object */
export type ThinEvent = Stripe.V2.Core.EventBase & {
  related_object: Stripe.V2.Core.Events.RelatedObject | null;
};

type Envelope = {
  id?: string;
  previous?: object | undefined;
  created?: number;
  account?: string | undefined;
  livemode?: boolean;
  apiVersion?: string;
  context?: string;
};
const API_VERSION = '2026-10-28.endive';
let made = 0;

/** An envelope around an object; pass an id to send the same event again. */
export const event = (type: string, object: object, given: Envelope = {}): StoryEvent => ({
  id: given.id ?? `evt_1${randomBytes(12).toString('hex')}`,
  object: 'event',
  ...(given.account !== undefined && { account: given.account }),
  api_version: given.apiVersion ?? API_VERSION,
  ...(given.context !== undefined && { context: given.context }),
  created: given.created ?? Math.floor(Date.now() / 1000),
  data: {
    object: object as Thing,
    ...(given.previous !== undefined && { previous_attributes: given.previous }),
  },
  livemode: given.livemode ?? false,
  pending_webhooks: 1,
  request: { id: null, idempotency_key: null },
  type,
});

/** Who is in a story and when it begins. What is left out is made up, the same in every run. */
export type Cast = {
  /** Unix seconds. */
  at?: number;
  /** Letters and digits that all ids of the story carry, so that two stories do not meet. */
  tag?: string;
  /** Stands as `metadata.user_id` on what our own checkout makes. */
  userId?: string;
  email?: string;
  currency?: string;
  livemode?: boolean;
  account?: string;
  apiVersion?: string;
  /** Prices of the teller's own catalogue, as the SDK or the wire gives them. */
  prices?: Partial<Record<Role, Stripe.Price | Price>>;
};

/** An event, and the objects that Stripe's API shows otherwise than at the event before. */
export type Step = { event: StoryEvent | ThinEvent; objects: Thing[] };

/**
 * Writes a story down: objects are made and changed, and events tell of them with snapshots and
 * `previous_attributes`, at the story's own time. Ids are counted, not drawn.
 */
export class Story {
  readonly cast: Cast;
  readonly steps: Step[] = [];
  /** What the next invoice of a subscription takes along. */
  readonly pending: { subscription: string; line: object }[] = [];
  at: number;
  #things = new Map<string, Thing>();
  #shown = new Map<string, string>();
  #tag: string;
  #counted = 0;

  constructor(cast: Cast = {}) {
    this.cast = cast;
    this.at = cast.at ?? 1_790_000_000;
    this.#tag = cast.tag ?? `Story${++made}`;
  }

  get events(): (StoryEvent | ThinEvent)[] {
    return this.steps.map(({ event }) => event);
  }

  /** What the API shows in the end; nothing of another account or of the other mode. */
  get objects(): Thing[] {
    return this.#isElsewhere() ? [] : structuredClone([...this.#things.values()]);
  }

  id(prefix: string): string {
    const mode = this.cast.livemode ? prefix.replace('_test_', '_live_') : prefix;
    return `${mode}${this.#tag}${String(++this.#counted).padStart(6, '0')}`;
  }

  wait(seconds: number): this {
    this.at += seconds;
    return this;
  }

  /** A complete object, made now and shown by the API from now on; `fields` over the template. */
  make<K extends Kind>(kind: K, fields: Partial<Tables[K]>): Tables[K] {
    const template = structuredClone((templates as Record<string, object>)[kind] ?? {});
    const own = { ...template, id: this.id(idForms[kind][0]), object: kind };
    const object = own as unknown as Tables[K];
    if ('created' in object) object.created = this.at;
    if ('livemode' in object) object.livemode = this.cast.livemode ?? false;
    Object.assign(object, fields);
    this.#things.set(object.id, object);
    return object;
  }

  all<K extends Kind>(kind: K): Tables[K][] {
    return [...this.#things.values()].filter(({ object }) => object === kind) as Tables[K][];
  }

  /** The newest of a kind. @throws Error where the story has none. */
  the<K extends Kind>(kind: K): Tables[K] {
    const newest = this.all(kind).at(-1);
    if (!newest) throw new Error(`This story has no ${kind}.`);
    return newest;
  }

  find<K extends Kind>(kind: K, id: unknown): Tables[K] {
    const found = this.all(kind).find((one) => one.id === id);
    if (!found) throw new Error(`This story has no ${kind} ${String(id)}.`);
    return found;
  }

  /** Tells of an object as it is now. */
  tell(type: Stripe.Event.Type, object: object, previous?: object): void {
    const { account, livemode = false, apiVersion = API_VERSION } = this.cast;
    const envelope = { account, livemode, apiVersion, created: this.at, previous };
    this.send(event(type, structuredClone(object), { id: this.id('evt_1'), ...envelope }));
  }

  /** Tells any event, with what has changed since the last one. */
  send(told: StoryEvent | ThinEvent): void {
    const changed = this.objects.filter((one) => {
      const text = JSON.stringify(one);
      const isNew = this.#shown.get(one.id) !== text;
      this.#shown.set(one.id, text);
      return isNew;
    });
    this.steps.push({ event: told, objects: changed });
  }

  /** Changes an object and tells of it with the old values; says nothing where nothing changed. */
  change<O extends object>(type: Stripe.Event.Type, object: O, edit: (object: O) => void): O {
    const before = structuredClone(object) as Record<string, unknown>;
    edit(object);
    const previous = differences(before, object as Record<string, unknown>);
    if (previous) this.tell(type, object, previous);
    return object;
  }

  #isElsewhere(): boolean {
    return this.cast.account !== undefined || this.cast.livemode === true;
  }
}
