import { SignJWT } from 'jose';
import { afterAll, describe, expect, test } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { testCtx } from '../support/ctx.ts';
import { rigOrigin, rigSecrets, someone, startRig } from '../support/worker.ts';
import { expectProblem, typesMet } from '../support/worker-problem.ts';
import {
  fittingBody,
  pathWith,
  type Route,
  routesOf,
  wrongBodies,
} from '../support/worker-routes.ts';

const rig = await startRig();
const routes = await routesOf(rig);
const owner = await rig.user(someone());
const stranger = await rig.user(someone());
const job = await rig.createJob(owner.token);

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const named = (wanted: (route: Route) => boolean) =>
  routes.filter(wanted).map((route) => [`${route.method} ${route.path}`, route] as const);
const ofUsers = named(({ caller }) => caller === 'user');
const ofObjects = named(({ caller, path }) => caller === 'user' && path.includes('{'));
const withJson = named(({ caller, bodies }) => caller === 'user' && bodies !== undefined);
const paths = [...new Set(routes.map(({ path }) => path))];

/** Calls a route with a body that it would take. */
const call = (
  route: Route,
  options: { token?: string; id?: string; authorization?: string } = {},
) =>
  rig.api(pathWith(route, options.id ?? job.id), {
    method: route.method,
    token: options.token,
    ...(options.authorization !== undefined && {
      headers: { authorization: options.authorization },
    }),
    ...(route.bodies && { body: fittingBody(route) }),
    ...(route.rawBody !== undefined && { body: 'company\nAcme\n' }),
  });

const jobsInDatabase = async () =>
  (await rig.database.pool.query('select to_jsonb(j) as job from jobs j order by id')).rows;

describe('the list of routes', () => {
  test('has all that the contract names', () => {
    const listed = routes.map(({ method, path }) => `${method} ${path}`);
    expect(listed).toEqual(
      expect.arrayContaining([
        'GET /v1/me',
        'GET /v1/credits/entries',
        'GET /v1/billing/plans',
        'POST /v1/billing/checkout',
        'GET /v1/billing/subscription',
        'POST /v1/jobs',
        'GET /v1/jobs',
        'GET /v1/jobs/{id}',
        'PUT /v1/jobs/{id}/input',
        'POST /v1/jobs/{id}/start',
        'GET /v1/jobs/{id}/events',
        'GET /v1/jobs/{id}/output',
        'POST /webhooks/stripe',
        'POST /queue/chunks',
        'GET /healthz',
        'GET /readyz',
      ]),
    );
  });

  test('has all that the app has, so that none escapes this suite', () => {
    const { routes: mounted } = createApp(testCtx(rig.database));
    const listed = routes.map(({ method, path }) => `${method} ${path}`);
    const all = mounted
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(new Set(all)).toEqual(new Set([...listed, 'GET /openapi.json', 'GET /docs']));
  });

  test('says of every route who may call it, and all but a few ask who is calling', () => {
    const open = routes.filter(({ caller }) => caller === 'none').map(({ path }) => path);
    expect(open.toSorted()).toEqual(['/healthz', '/readyz', '/v1/billing/plans']);
  });

  test('comes whole to calls that race, and is open to anybody, as is the page for people', async () => {
    await rig.worker.restart();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => rig.api(i % 2 ? '/docs' : '/openapi.json')),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    for (const [i, text] of texts.entries()) {
      expect(answers[i]?.headers.get('x-request-id')).toMatch(/^[\w-]{8,}$/);
      for (const path of paths) expect(text).toContain(path);
    }
  });
});

describe.each(ofUsers)('%s', (_, route) => {
  test('without a token: 401', async () => {
    const answer = await call(route);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    await expectProblem(answer, 401, 'unauthorized');
  });

  test('with a token that is none, or not for us: 401, and nobody is signed up', async () => {
    const sub = someone();
    const at = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const good = await rig.token(sub, null);
    const [head = '', , signature = ''] = good.split('.');
    const claims = {
      sub,
      iss: rig.env['AUTH_ISSUER'] ?? '',
      aud: rig.env['AUTH_AUDIENCE'] ?? '',
      exp: at(600),
    };
    const signed = (alg: string, secret: string) =>
      new SignJWT(claims).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));
    const bad = {
      garbage: 'garbage',
      'three dots': 'a.b.c',
      unsigned: `${part({ alg: 'none' })}.${part(claims)}.`,
      'cut off': good.slice(0, -4),
      tampered: `${head}.${part({ ...claims, sub: owner.me.externalId })}.${signature}`,
      'of another secret': await signed('HS256', 'another-secret-of-at-least-32-characters'),
      'of another algorithm': await signed('HS512', rigSecrets.AUTH_JWT_SECRET),
      'RS256 without a key set': `${part({ alg: 'RS256', kid: '1' })}.${part(claims)}.${signature}`,
      expired: await rig.token(sub, null, { exp: at(-30) }),
      'not yet valid': await rig.token(sub, null, { nbf: at(300) }),
      'of another issuer': await rig.token(sub, null, { iss: 'https://elsewhere.example' }),
      'for another audience': await rig.token(sub, null, { aud: 'somebody-else' }),
      'without sub': await rig.token(sub, null, { sub: undefined }),
      'empty sub': await rig.token(sub, null, { sub: ' ' }),
      'sub that no database holds': await rig.token(sub, null, { sub: `${sub}\u0000` }),
      "the operator's": rigSecrets.ADMIN_TOKEN,
    };
    for (const [name, token] of Object.entries(bad)) {
      const answer = await call(route, { token });
      expect(answer.status, name).toBe(401);
      await expectProblem(answer, 401, 'unauthorized');
    }
    for (const authorization of ['Bearer', `Basic ${good}`, good, `Bearer ${good} ${good}`])
      await expectProblem(await call(route, { authorization }), 401, 'unauthorized');
    const made = await rig.database.pool.query(
      'select 1 from users where external_id like $1 || $2',
      [sub, '%'],
    );
    expect(made.rowCount).toBe(0);
  });
});

describe.each(ofObjects)("%s: what is not the caller's does not exist", (_, route) => {
  test("another user's object: 404, and it is untouched", async () => {
    const before = await jobsInDatabase();
    await expectProblem(await call(route, { token: stranger.token }), 404, 'not_found');
    expect(await jobsInDatabase()).toEqual(before);
  });

  test.each([
    '0',
    'null',
    '1 or 1=1',
    '../me',
    `${job.id}0`,
    '00000000-0000-4000-8000-000000000000',
  ])('id %s: 404', async (id) => {
    await expectProblem(await call(route, { token: stranger.token, id }), 404, 'not_found');
  });
});

describe.each(paths)('%s', (path) => {
  // `{eventId}` answers to `retry` as well, by its own methods.
  const answers = (pattern: string) =>
    new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
  const methods = [
    ...new Set(routes.filter((route) => answers(route.path)).map(({ method }) => method)),
  ];

  test('another method: 405 that names those there are', async () => {
    const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter(
      (one) => !methods.includes(one),
    );
    for (const method of others) {
      const route = {
        method,
        path,
        caller: 'none',
        bodies: undefined,
        isBodyOptional: false,
        rawBody: undefined,
      } as const;
      const isAdmin = route.path.startsWith('/v1/admin/');
      const token = isAdmin ? rigSecrets.ADMIN_TOKEN : owner.token;
      const answer = await call(route, { token });
      expect(answer.headers.get('allow')?.split(', ').toSorted()).toEqual(methods.toSorted());
      await expectProblem(answer, 405, 'method_not_allowed');
    }
  });

  test('CORS for the frontend alone, on refusals too', async () => {
    const isApi = path.startsWith('/v1/');
    const route = routes.find((one) => one.path === path) as Route;
    const ask = (origin: string, method: string, headers = {}) =>
      rig.api(pathWith(route, job.id), { method, headers: { origin, ...headers } });
    const preflight = {
      'access-control-request-method': route.method,
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    };
    const allowed = await ask(rigOrigin, route.method);
    expect(allowed.headers.get('access-control-allow-origin')).toBe(isApi ? rigOrigin : null);
    for (const origin of ['https://evil.example', 'null', `${rigOrigin}.evil.example`]) {
      const other = await ask(origin, route.method);
      expect(other.headers.get('access-control-allow-origin')).toBeNull();
      const asked = await ask(origin, 'OPTIONS', preflight);
      expect(asked.headers.get('access-control-allow-origin')).toBeNull();
    }
    if (!isApi) return;
    expect(allowed.headers.get('vary')).toMatch(/\borigin\b/i);
    expect(allowed.headers.get('access-control-expose-headers')).toMatch(/X-Request-Id/i);
    const asked = await ask(rigOrigin, 'OPTIONS', preflight);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(rigOrigin);
    expect(asked.headers.get('access-control-allow-methods')).toContain(route.method);
    for (const name of ['authorization', 'content-type', 'idempotency-key'])
      expect(asked.headers.get('access-control-allow-headers')?.toLowerCase()).toContain(name);
  });
});

describe.each(withJson)('the body of %s', (_, route) => {
  const path = pathWith(route, job.id);
  const json = { 'content-type': 'application/json' };
  const send = (body: unknown, headers: Record<string, string> = json) =>
    rig.api(path, { method: route.method, token: owner.token, body, headers });

  test('too large, with or without Content-Length: 413', async () => {
    const large = JSON.stringify({ filename: 'x'.repeat(200_000) });
    expect((await expectProblem(await send(large), 413, 'too_large'))['limitBytes']).toBe(131_072);
    const stream = new Response(large).body;
    await expectProblem(await send(stream), 413, 'too_large');
  });

  const needed = route.isBodyOptional ? [] : [''];
  test.each(['{', ...needed, '{"filename":"a"', "{'filename':'a'}", '\u0000', '{"filename":"a"}x'])(
    'malformed JSON (%j): 400',
    async (body) => {
      await expectProblem(await send(body), 400, 'invalid_json');
    },
  );

  const fields = route.isBodyOptional ? [] : ['{}'];
  test.each(['null', '[]', '"text"', '17', 'true', '[[]]', ...fields])('%s: 422', async (body) => {
    const { errors } = await expectProblem(await send(body), 422, 'invalid_request');
    expect(errors).not.toEqual([]);
  });

  test('JSON that says it is something else is not acted on', async () => {
    const before = await jobsInDatabase();
    const answer = await send(JSON.stringify({ filename: 'a.csv' }), {
      'content-type': 'text/plain',
    });
    await expectProblem(answer, 422, 'invalid_request');
    expect(await jobsInDatabase()).toEqual(before);
  });

  test.each(wrongBodies(route))('a wrong %s: 422 that names it', async (field, body) => {
    const problem = await expectProblem(await send(body), 422, 'invalid_request');
    const named = (problem['errors'] as { field: string; message: string }[]).some(
      (error) => error.field.split('.')[0] === field || error.message.includes(`"${field}"`),
    );
    expect(named, JSON.stringify(problem['errors'])).toBe(true);
  });
});

describe.each(withJson.filter(([, { isBodyOptional }]) => isBodyOptional))('%s', (_, route) => {
  test.each([
    ['', 'text/plain'],
    [' \n', 'application/json'],
    ['{}', 'application/json; charset=utf-8'],
    ['{}', 'application/merge-patch+json'],
  ])('without a field (%j, %s) is asked for and answered', async (body, type) => {
    const headers = { 'content-type': type };
    const { method } = route;
    const path = pathWith(route, job.id);
    const answer = await rig.api(path, { method, token: owner.token, body, headers });
    // The job has no file yet.
    expect(await answer.text()).not.toMatch(/invalid_json|invalid_request/);
    expect(answer.status).toBe(409);
  });
});

test('whole numbers as `sub` that JSON readers round to the same one are nobody: 401', async () => {
  // 2^53 + 1 reads as 2^53: whoever has the one would be let into the account of the other.
  const token = await rig.token(someone(), null, { sub: Number.MAX_SAFE_INTEGER + 1 });
  await expectProblem(await rig.api('/v1/me', { token }), 401, 'unauthorized');
  const exact = await rig.token(someone(), null, { sub: Number.MAX_SAFE_INTEGER });
  expect((await rig.me(exact)).externalId).toBe('9007199254740991');
});

test.each(['no e-mail', 'a@b@c', 'a\u0000b@people.example', 'x'.repeat(400), 7, null, {}])(
  'a token with %j for an e-mail signs up without one',
  async (email) => {
    const token = await rig.token(someone(), null, { email, email_verified: true });
    expect((await rig.json<{ email: string | null }>('/v1/me', { token })).email).toBeNull();
  },
);

test('an address where nothing is: 404, with or without a token', async () => {
  for (const path of ['/', '/v1', '/v1/nothing', `/v1/jobs/${job.id}/nothing`, '/.env'])
    await expectProblem(await rig.api(path, { token: owner.token }), 404, 'not_found');
});

test('a slash too many is not refused with the very method that was used', async () => {
  for (const path of paths) {
    const answer = await rig.api(`${path.replaceAll(/\{\w+\}/g, job.id)}/`, { token: owner.token });
    await answer.body?.cancel();
    const allow = answer.headers.get('allow')?.split(', ') ?? [];
    expect(allow, `GET ${path}/ → ${answer.status}`).not.toContain('GET');
  }
});

test('a request id of the caller is kept only if it is harmless', async () => {
  const idFor = async (id: string) =>
    (await rig.api('/healthz', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
  expect(await idFor('trace-42_a')).toBe('trace-42_a');
  for (const id of ['<script>', 'a b', '"', 'x'.repeat(1000)]) expect(await idFor(id)).not.toBe(id);
});

test('every answer forbids guessing at its type', async () => {
  for (const path of ['/healthz', '/docs', '/v1/me', '/nothing'])
    expect((await rig.api(path)).headers.get('x-content-type-options')).toBe('nosniff');
});

test('every problem met here is explained under its `type`', async () => {
  const page = await (await rig.api('/docs')).text();
  for (const type of typesMet) expect(page).toContain(`id="${type.split('#')[1]}"`);
  expect(typesMet.size).toBeGreaterThan(5);
});
