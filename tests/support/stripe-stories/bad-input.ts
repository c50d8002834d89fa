import type { StoryEvent } from './story.ts';

type Json = Record<string, unknown>;

const withMetadata = (good: StoryEvent, metadata: unknown): Json => ({
  ...good,
  data: { ...good.data, object: { ...good.data.object, metadata } },
});
const withObject = (good: StoryEvent, fields: Json): Json => ({
  ...good,
  data: { ...good.data, object: { ...good.data.object, ...fields } },
});

/**
 * What a forger with the secret, or a Stripe of tomorrow, could send in the place of a good event. By
 * name: the text of a body, to be signed as it is. No two bodies carry the same event id.
 */
export function badBodies(good: StoryEvent): Record<string, string> {
  const { id: _, ...withoutId } = good;
  const { data: __, ...withoutData } = good;
  const { type: ___, ...withoutType } = good;
  const events: Record<string, unknown> = {
    'NUL in metadata': withMetadata(good, { user_id: 'a\0b', pack: 'small' }),
    'half a surrogate pair': withMetadata(good, { user_id: 'a\uD800b', '\uDFFF': 'x' }),
    'metadata that is a list': withMetadata(good, ['user_id']),
    'metadata with __proto__': withMetadata(good, JSON.parse('{"__proto__": {"user_id": "x"}}')),
    'created before 1970': { ...good, created: -1 },
    'created after the year 9999': { ...good, created: 253_402_300_800 },
    'created beyond what a date holds': { ...good, created: 8_640_000_000_001 },
    'created with a fraction': { ...good, created: 1_790_000_000.5 },
    'created as text': { ...good, created: '1790000000' },
    'an amount beyond 2^31': withObject(good, { amount_total: 2 ** 31, amount: 2 ** 31 }),
    'an amount beyond 2^53': withObject(good, { amount_total: 2 ** 53 + 2, amount: 2 ** 53 + 2 }),
    'a negative amount': withObject(good, { amount_total: -1, amount: -1 }),
    'a quantity beyond 2^31': withMetadata(good, { pack: 'small', quantity: '2147483648' }),
    'no id': withoutId,
    'an id that is a number': { ...good, id: 1 },
    'no type': withoutType,
    'no data': withoutData,
    'an object that is null': { ...good, data: { object: null } },
    'an object that is text': { ...good, data: { object: 'in_1' } },
    'a list': [good],
    null: null,
    '512 kB': withMetadata(good, { filler: 'x'.repeat(512 * 1024) }),
  };
  const deep = JSON.stringify(withMetadata(good, 'DEEP'));
  const bodies: Record<string, string> = {
    ...Object.fromEntries(Object.entries(events).map(([name, one]) => [name, JSON.stringify(one)])),
    'JSON 5,000 deep': deep.replace('"DEEP"', '['.repeat(5000) + ']'.repeat(5000)),
    'a number without an end': JSON.stringify(good).replace(/"created":\d+/, '"created":1e400'),
    'no JSON': '{"id": "evt_1',
    nothing: '',
  };
  const ownId = (body: string, n: number): string =>
    body.replace(`"id":"${good.id}"`, `"id":"${good.id}${n}"`);
  return Object.fromEntries(
    Object.entries(bodies).map(([name, body], n) => [name, ownId(body, n)]),
  );
}
