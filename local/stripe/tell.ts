import { idForms } from './core/ids.ts';
import { invalid } from './core/problem.ts';
import type { SessionNote, Tables } from './core/store.ts';
import type { List, StripeEvent, Thing } from './core/types.ts';
import type { World } from './core/world.ts';

/** A whole event, or what one is made of, with the objects that the API is to show from then on. */
export type Told = { objects?: readonly object[] } & (
  | { event: object }
  | { type: string; object: object; previous_attributes?: object; [envelope: string]: unknown }
);

const isThing = (value: unknown): value is Thing =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as Thing).id === 'string' &&
  /^[a-z]\w*$/i.test((value as Thing).id) &&
  typeof (value as Thing).object === 'string';

type Holder = Thing & Partial<Record<'lines' | 'items' | 'line_items', List<Thing>>>;
const listsOf = ({ lines, items, line_items: sold }: Holder) =>
  [lines, items, sold].filter((list) => list !== undefined);

/** A thing whose lists hold things: what is planted is read as Stripe's from then on. */
const isWhole = (value: unknown): value is Thing =>
  isThing(value) &&
  listsOf(value as Holder).every(
    (list) => Array.isArray(list?.data) && list.data.every((inner) => isThing(inner)),
  );

export function isTold(value: unknown): value is Told {
  const { event, type, object, objects = [] } = (value ?? {}) as Record<string, unknown>;
  const isEvent = isThing(event) || (typeof type === 'string' && isWhole(object));
  return isEvent && Array.isArray(objects) && objects.every(isWhole);
}

const blank: SessionNote = {
  lines: [],
  payment: {},
  saves: { address: false, name: false },
  settlesAt: null,
  subscription: { metadata: {}, trialEnd: null },
};

const isKept = (kind: string): kind is keyof Tables => Object.hasOwn(idForms, kind);

function needKept({ object: kind, id }: Thing): keyof Tables {
  if (isKept(kind) && kind !== 'event') return kind;
  throw invalid(`The stand-in does not keep ${kind} objects: tell of ${id} without planting it.`);
}

/** Shows an object in the place of one with its id; what is inside of it is shown with it. */
function plant({ store }: World, given: Thing): void {
  const { id } = given;
  const kind = needKept(given);
  if (!store.find(kind, id)) store.notes.planted[id] = true;
  const whole = structuredClone(given) as Holder;
  const { line_items: lines, ...one } = whole;
  store.replace(kind, id, one);
  for (const inner of listsOf(whole).flatMap(({ data }) => data))
    if (isKept(inner.object)) store.replace(inner.object, inner.id, inner);
  if (kind !== 'checkout.session') return;
  // A session shows its lines only to those who ask.
  const note = (store.notes.sessions[id] ??= { ...blank });
  if (lines) note.lines = lines.data.map((line) => line.id);
}

/** Tells an event as if Stripe had: objects are planted, the event is kept, signed and delivered. */
export function tell(world: World, told: Told): StripeEvent {
  const objects = (told.objects ?? []) as Thing[];
  objects.forEach(needKept);
  for (const object of objects) plant(world, object);
  if ('event' in told) return send(world, structuredClone(told.event) as StripeEvent);
  const { object, objects: _, previous_attributes, ...envelope } = told;
  const subject = object as Thing;
  const isGone = told.type.endsWith('.deleted') && subject.object !== 'subscription';
  const shown = isGone ? { id: subject.id, object: subject.object, deleted: true } : subject;
  if (isKept(subject.object)) plant(world, shown);
  const data = {
    object: structuredClone(subject),
    ...(previous_attributes && { previous_attributes }),
  };
  const fields = { api_version: world.apiVersion, ...envelope, data } as Partial<StripeEvent>;
  return send(world, world.store.make('event', world.clock.now(), fields));
}

function send(world: World, event: StripeEvent): StripeEvent {
  const count = { value: 0, writable: true, configurable: true };
  // A thin event says nothing of webhooks, so what counts them is not written out.
  if (event.object !== 'event') Object.defineProperty(event, 'pending_webhooks', count);
  world.store.notes.planted[event.id] = true;
  world.store.replace('event', event.id, event);
  world.onEvent(event);
  return event;
}
