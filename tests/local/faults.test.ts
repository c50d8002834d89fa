import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startProviders } from '../../local/providers/index.ts';
import { startQstash } from '../../local/qstash/index.ts';
import { startRedis } from '../../local/redis/index.ts';
import type { Faults } from '../../local/support/faults.ts';
import type { Service } from '../../local/support/http.ts';

const keys = { currentSigningKey: 'a', nextSigningKey: 'b' };

describe.each<[string, () => Promise<Service & { faults: Faults }>, string]>([
  ['providers', startProviders, '/openai/v1/models'],
  ['QStash', () => startQstash({ token: 't', ...keys }), '/v2/keys'],
  ['Redis', () => startRedis({ token: 't' }), '/'],
])('the switches of %s', (_, start, path) => {
  let service: Service & { faults: Faults };
  beforeAll(async () => {
    service = await start();
  });
  afterAll(() => service.close());

  const add = (body: string) => fetch(`${service.url}/_local/faults`, { method: 'POST', body });
  const list = async () => (await fetch(`${service.url}/_local/faults`)).json();

  it('refuse what is no fault, say why and keep the list as it was', async () => {
    const garbage = ['', 'kind=drop', 'null', '7', '"drop"', '[]', '[{"kind":"drop"}]', '{}'];
    const malformed = [
      '{"kind":"explode"}',
      '{"kind":"constructor"}',
      '{"kind":"drop","__proto__":{"times":1}}',
      '{"kind":"drop","on":"toString"}',
      '{"kind":"drop","match":5}',
      '{"kind":"drop","times":"1"}',
      '{"kind":"drop","times":-1}',
      '{"kind":"drop","probability":2}',
      '{"kind":"drop","when":"never"}',
      '{"kind":"latency"}',
      '{"kind":"latency","ms":-1}',
      '{"kind":"status"}',
      '{"kind":"status","status":99}',
      '{"kind":"status","status":1000}',
      '{"kind":"status","status":500,"headers":{"retry after":"1"}}',
      '{"kind":"status","status":500,"headers":{"retry-after":1}}',
      '{"kind":"duplicate"}',
      '{"kind":"drop","on":"message"}',
    ];
    for (const body of [...garbage, ...malformed]) {
      const answer = await add(body);
      expect([body, answer.status]).toEqual([body, 422]);
      expect(await answer.json()).toEqual({ error: expect.stringMatching(/^not a fault: \S/) });
    }
    expect(await list()).toEqual({ faults: [] });
  });

  it('play statuses without a body, and headers with any name', async () => {
    const given = '{"kind":"status","status":204,"headers":{"constructor":"x"},"times":1}';
    expect((await add(given)).status).toBe(201);
    const answer = await fetch(service.url + path, { method: 'POST' });
    expect([answer.status, answer.headers.get('constructor')]).toEqual([204, 'x']);
    expect(await list()).toMatchObject({ faults: [{ times: 0 }] });
  });
});
