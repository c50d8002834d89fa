import { expect } from 'vitest';
import { operations } from './description.ts';
import { test } from './rig.ts';

test('reads every header that is documented for a message', async ({ rig }) => {
  const { api, there } = rig;
  const publish = operations.find(({ path }) => path.startsWith('/v2/publish/'));
  const headers = publish?.parameters.filter(({ name }) => /^Upstash-[\w-]+$/.test(name)) ?? [];
  expect(headers.length).toBeGreaterThan(10);
  for (const { name } of headers) {
    // Malformed for each of them.
    const answer = await api(`/v2/publish/${there.url}`, {
      method: 'POST',
      headers: { [name]: 'a:b ?' },
    });
    expect([name, answer.status]).toEqual([name, 400]);
  }
});

const given = ['cursor', 'dlqIds'];

test('reads every parameter that is documented, and refuses the others', async ({ rig }) => {
  const { api } = rig;
  for (const { method, path, parameters } of operations) {
    const known = parameters.filter((parameter) => parameter.in === 'query');
    if (known.length === 0) continue;
    const ask = (query: string) => api(`${path.replace(/\{\w+\}/, 'k')}?${query}`, { method });
    for (const { name, schema } of known) {
      const choice = (schema['enum'] as string[] | undefined)?.[0];
      const value = choice ?? (schema['type'] === 'boolean' ? 'true' : '1');
      // A period is nothing without a rate, a cursor is the stand-in's to give, and no dead message
      // has that id.
      const { status } = await ask(name === 'period' ? 'rate=1&period=1' : `${name}=${value}`);
      expect([method, path, name, status < 400 || given.includes(name)]).toContain(true);
    }
    expect([method, path, (await ask('unknown=1')).status]).toEqual([method, path, 400]);
  }
});

test('refuses what a route would not read', async ({ rig }) => {
  const { api } = rig;
  for (const [path, init] of [
    ['/v2/keys?format=json', {}],
    ['/v2/logs', { headers: { 'Upstash-Label': 'x' } }],
    ['/v2/messages', { method: 'DELETE', body: '{"messageIds":[]}' }],
    ['/v2/flowControl/k/pause?for=1m', { method: 'POST' }],
    ['/v2/batch', { method: 'POST', body: '[]', headers: { 'Upstash-Delay': '1s' } }],
  ] as const) {
    const answer = await api(path, init);
    expect([path, answer.status]).toEqual([path, 400]);
    expect(await answer.json()).toEqual({ error: expect.any(String) });
  }
});
