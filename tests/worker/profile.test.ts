import { afterAll, expect, test } from 'vitest';
import { expectProblem } from '../support/worker-problem.ts';
import { someone, startRig } from '../support/worker.ts';

const rig = await startRig();
afterAll(() => rig.close());

const nobody = {
  name: null,
  role: null,
  company: null,
  website: null,
  offer: null,
  tone: null,
  language: null,
  signature: null,
};
const ada = {
  name: 'Ada Lovelace',
  role: 'Founder',
  company: 'Engines Ltd',
  website: 'https://engines.example',
  offer: 'We compute tables\nwithout errors.',
  tone: 'friendly, brief',
  language: 'pt-BR',
  signature: 'Ada Lovelace\nEngines Ltd · Zürich – 東京',
};
const put = (token: string, body: unknown) =>
  rig.api('/v1/me/sender', { method: 'PUT', token, body });
const read = (token: string) => rig.json('/v1/me/sender', { token });

test('a profile is put as a whole: what is left out, null or empty is cleared', async () => {
  const { token } = await rig.user(someone());
  expect(await read(token)).toEqual(nobody);
  const stored = await put(token, ada);
  expect([stored.status, await stored.json()]).toEqual([200, ada]);
  expect(await read(token)).toEqual(ada);
  await put(token, { name: ' Grace Hopper ', role: null, tone: '' });
  expect(await read(token)).toEqual({ ...nobody, name: 'Grace Hopper' });
  await put(token, nobody);
  expect(await read(token)).toEqual(nobody);
});

test('everybody has their own', async () => {
  const [{ token }, { token: other }] = [await rig.user(someone()), await rig.user(someone())];
  await put(token, ada);
  expect(await read(other)).toEqual(nobody);
  await put(other, { name: 'Grace' });
  expect(await read(token)).toEqual(ada);
});

test.each([
  ['signature', 'x'.repeat(10_240), /too long/],
  ['offer', 'x'.repeat(2001), /too long/],
  ['name', 'x'.repeat(201), /too long/],
  ['name', 'Ada\nBcc: all@people.example', /control characters/],
  ['name', '\ud800', /half a character/],
  ['offer', 'a\u0000b', /control characters/],
  ['language', 'German', /language tag/],
  ['tone', 7, /string/],
])('a bad %s is refused by name, and nothing is changed', async (field, value, message) => {
  const { token } = await rig.user(someone());
  await put(token, ada);
  const problem = await expectProblem(
    await put(token, { ...ada, name: 'Eve', [field]: value }),
    422,
    'invalid_request',
  );
  expect(problem['errors']).toMatchObject([{ field, message: expect.stringMatching(message) }]);
  expect(await read(token)).toEqual(ada);
});

test('the secret is read again and again, renewed when asked, and kept from caches', async () => {
  const { token } = await rig.user(someone());
  const ask = (method = 'GET') => rig.api('/v1/me/notify-secret', { method, token });
  const first = await ask();
  expect(first.headers.get('cache-control')).toBe('no-store');
  const { secret } = (await first.json()) as { secret: string };
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(await (await ask()).json()).toEqual({ secret });
  const renewed = await ask('POST');
  expect(renewed.status).toBe(201);
  const other = (await renewed.json()) as { secret: string };
  expect(other.secret).not.toBe(secret);
  expect(await (await ask()).json()).toEqual(other);
  // Neither changes what the other keeps.
  await put(token, ada);
  expect(await (await ask()).json()).toEqual(other);
  expect(await read(token)).toEqual(ada);
  expect(rig.lines.join('\n')).not.toContain('whsec_');
});
