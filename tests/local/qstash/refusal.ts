import { expect } from 'vitest';
import { startQstash } from '../../../local/qstash/index.ts';
import { first, test, verify } from './rig.ts';

test('rotates the keys', async ({ rig }) => {
  const { client, there, api } = rig;
  const rotated = await (await api('/v2/keys/rotate', { method: 'POST' })).json();
  expect(rotated).toMatchObject({
    current: 'sig_next',
    next: expect.stringMatching(/^sig_\w{28}$/),
  });
  await client.publish({ url: `${there.url}/one` });
  const one = first(await there.until('/one', 1));
  await expect(verify(one, `${there.url}/one`)).resolves.toBe(true);
  const stale = { currentSigningKey: 'sig_current', nextSigningKey: 'sig_current' };
  await expect(verify(one, `${there.url}/one`, stale)).rejects.toThrow('signature');
  await api('/v2/keys/rotate', { method: 'POST' });
  await client.publish({ url: `${there.url}/two` });
  const two = first(await there.until('/two', 1));
  await expect(verify(two, `${there.url}/two`)).rejects.toThrow('signature');
});

test('does not start without a token and keys to sign with', async () => {
  const whole = { token: 't', currentSigningKey: 'a', nextSigningKey: 'b' };
  for (const name of Object.keys(whole)) {
    const start = startQstash({ ...whole, [name]: '' });
    await expect(start).rejects.toThrow(`startQstash needs ${name}`);
  }
});

test('takes names that every object has', async ({ rig }) => {
  const { qstash, client, there, api } = rig;
  const seen: string[][] = [];
  there.answer = (_hit, response) => {
    seen.push(response.req.rawHeaders);
    response.writeHead(500, { ['__proto__']: 'back' }).end();
  };
  const publish = (path: string, more: Record<string, string>) =>
    api(`/v2/publish/${there.url}${path}`, { method: 'POST', headers: more });
  const names = ['__proto__', 'constructor', 'toString'];
  for (const name of names) {
    const flow = { 'Upstash-Flow-Control-Key': name, 'Upstash-Flow-Control-Value': 'rate=9' };
    const ids = { 'Upstash-Label': name, 'Upstash-Deduplication-Id': name };
    const own = { 'Upstash-Forward-__proto__': 'sent', 'Upstash-Retries': '0' };
    expect((await publish(`/${name}`, { ...flow, ...ids, ...own })).status).toBe(200);
    expect((await publish('/x', { [`Upstash-${name}`]: '1' })).status).toBe(400);
    for (const path of [`messages/${name}`, `dlq/${name}`])
      expect([path, (await api(`/v2/${path}`)).status]).toEqual([path, 404]);
    expect((await api(`/v2/logs?${name}=1`)).status).toBe(400);
    expect((await api(`/v2/bulkActions?${name}=1`)).status).toBe(400);
  }
  await qstash.drain(30_000);
  for (const headers of seen) expect(headers[headers.indexOf('__proto__') + 1]).toBe('sent');
  const { messages } = await client.dlq.listMessages({ filter: { label: '__proto__' } });
  expect(messages.map(({ flowControlKey }) => flowControlKey)).toEqual(['__proto__']);
  const [{ header = {}, responseHeader = {} } = {}] = messages;
  expect([Object.entries(header), Object.entries(responseHeader)]).toEqual([
    expect.arrayContaining([['__proto__', ['sent']]]),
    expect.arrayContaining([['__proto__', ['back']]]),
  ]);
  expect((await client.flowControl.get('__proto__')).rateMax).toBe(9);
  const body = `[{"destination":"${there.url}","__proto__":{"queue":"q"}}]`;
  expect((await api('/v2/batch', { method: 'POST', body })).status).toBe(400);
});

test('refuses what it does not know', async ({ rig }) => {
  const { qstash, there, api } = rig;
  const publish = `/v2/publish/${there.url}`;
  const post = (path: string, headers: Record<string, string> = {}, body = '') =>
    api(path, { method: 'POST', headers, body });
  const cases: [number, Promise<Response>][] = [
    [401, post(publish, { authorization: 'Bearer wrong' })],
    [401, api('/v2/keys', { headers: { authorization: '' } })],
    [404, post('/v2/enqueue/q/http://x.test')],
    [404, api('/v2/topics')],
    [404, post('/v1/publish/http://x.test')],
    [400, post('/v2/publish/my-group')],
    [400, post('/v2/publish/ftp://x.test')],
    [400, post('/v2/publish/http%3A%2F%2Fx%')],
    [400, post(publish, { 'Upstash-Retires': '3' })],
    [400, post(publish, { 'Upstash-Retries': '-1' })],
    [412, post(publish, { 'Upstash-Retries': '6' })],
    [400, post(publish, { 'Upstash-Delay': '5 minutes' })],
    [400, post(publish, { 'Upstash-Method': 'TRACE' })],
    [400, post(publish, { 'Upstash-Label': 'job:1' })],
    [400, post(publish, { 'Upstash-Callback': 'nowhere' })],
    [400, post(publish, { 'Upstash-Callback-Callback': 'http://x.test' })],
    [400, post(publish, { 'Upstash-Retry-Delay': 'sleep(1)' })],
    [400, post(publish, { 'Upstash-Flow-Control-Key': 'k' })],
    [404, post(`/v2/schedules/${there.url}`)],
    [412, post(publish, {}, 'x'.repeat(10 * 1024 * 1024 + 1))],
    [400, post('/v2/batch', {}, '{}')],
    [400, post('/v2/batch', {}, JSON.stringify([{ destination: there.url, queue: 'q' }]))],
    [400, api('/v2/messages?lable=x', { method: 'DELETE' })],
    [400, api('/v2/dlq?host=x')],
    [404, api('/v2/flowControl/unknown')],
  ];
  for (const [status, asked] of cases) {
    const answer = await asked;
    expect([status, answer.url], answer.url).toEqual([answer.status, answer.url]);
    expect(await answer.json()).toEqual({ error: expect.any(String) });
  }
  expect([qstash.state().attempts, there.hits.length]).toEqual([0, 0]);
});
