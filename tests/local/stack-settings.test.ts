import { expect, it } from 'vitest';
import { secretsFor } from '../../local/stack/secrets.ts';
import { namedParts } from '../../local/stack/settings.ts';
import { workerEnvironment } from '../../local/stack/worker-env.ts';

const none = namedParts({});
it.each([
  [{ DATABASE_URL: 'postgres://u:p@127.0.0.1/d' }, ['database']],
  [{ DATABASE_URL: 'postgres://u:p@ep-a.eu-1.aws.neon.tech/d' }, ['database', 'neon']],
  [{ UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1' }, ['redis']],
  [{ QSTASH_URL: 'http://127.0.0.1:1' }, ['qstash']],
  [{ STRIPE_API_BASE: 'http://127.0.0.1:1' }, ['stripe']],
  [{ STRIPE_SECRET_KEY: 'sk_test_1' }, ['stripe']],
  [{ SERPER_BASE_URL: 'http://127.0.0.1:1' }, ['search']],
  [{ LLM_BASE_URL: 'http://127.0.0.1:1' }, ['llm']],
  [{ LLM_MODELS: '[]' }, ['llm']],
])('%o takes the place of a stand-in', (environment, parts) => {
  const changed = Object.fromEntries(parts.map((part) => [part, true]));
  expect(namedParts(environment as Record<string, string>)).toEqual({ ...none, ...changed });
  expect(Object.values(none)).not.toContain(true);
});

it.each([
  [{}, 'localhost,127.0.0.1,[::1]'],
  [{ PUBLIC_URL: 'http://localhost:8787' }, 'localhost,127.0.0.1,[::1]'],
  [{ PUBLIC_URL: 'https://tunnel.example.com' }, undefined],
  [{ NOTIFY_LOCAL_HOSTS: 'localhost:4000' }, 'localhost:4000'],
])('%o: receivers of notifications may be on %s', (environment, hosts) => {
  const api = 'http://127.0.0.1:8787';
  const env = workerEnvironment(environment, {}, secretsFor({}, {}), api);
  expect(env['NOTIFY_LOCAL_HOSTS']).toBe(hosts);
});

it('a service elsewhere needs its keys; what is no URL is told by name, never by value', () => {
  const environment = { QSTASH_URL: 'https://qstash.example.com', LLM_BASE_URL: 'hunter2' };
  expect(() => namedParts(environment)).toThrow(
    /QSTASH_URL is given, so QSTASH_TOKEN is needed.*LLM_BASE_URL is not a URL/,
  );
  expect(() => namedParts(environment)).not.toThrow('hunter2');
});
