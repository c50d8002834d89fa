import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHmac } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { expectProblem } from '../support/worker-problem.ts';

const algorithms = ['RS256', 'ES256', 'EdDSA'] as const;
const issuer = 'https://sign-in.rig.example';
const audience = 'rowloom-rig';
const keys = Object.fromEntries(
  await Promise.all(
    algorithms.map(
      async (alg) => [alg, await generateKeyPair(alg, { extractable: true })] as const,
    ),
  ),
) as Record<(typeof algorithms)[number], CryptoKeyPair>;
const jwks = {
  keys: await Promise.all(
    algorithms.map(async (alg) => ({ ...(await exportJWK(keys[alg].publicKey)), alg, kid: alg })),
  ),
};

/** The sign-in service's key set; what it answers can be changed. */
let answer = { status: 200, body: JSON.stringify(jwks) };
const service = createServer((_, response) => {
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
});
await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
const keySetUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}/jwks.json`;
const rig = await startRig({ env: { AUTH_JWKS_URL: keySetUrl, AUTH_JWT_SECRET: undefined } });

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
  service.close();
});

const claimsOf = (sub: string) => ({
  sub,
  email: `${sub}@people.example`,
  email_verified: true,
  iss: issuer,
  aud: audience,
});
const sign = (alg: (typeof algorithms)[number], sub: string, header = {}, key = keys[alg]) =>
  new SignJWT(claimsOf(sub))
    .setProtectedHeader({ alg, kid: alg, ...header })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(key.privateKey);
const me = (token: string) => rig.api('/v1/me', { token });
const refused = async (token: string) => expectProblem(await me(token), 401, 'unauthorized');

describe('with AUTH_JWKS_URL', () => {
  test.each(algorithms)('a token signed with %s is taken', async (alg) => {
    const sub = someone();
    const answer = await me(await sign(alg, sub));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      externalId: sub,
      email: `${sub}@people.example`,
      credits: { balance: 500 },
    });
  });

  test('first calls of a fresh Worker that race are all taken', async () => {
    await rig.worker.restart();
    const tokens = await Promise.all(
      algorithms.flatMap((alg) => [1, 2, 3, 4].map(() => sign(alg, someone()))),
    );
    const answers = await Promise.all(tokens.map(me));
    expect(answers.map(({ status }) => status)).toEqual(tokens.map(() => 200));
  });

  test.each(algorithms)("%s with somebody else's key under our key's id: 401", async (alg) => {
    const other = await generateKeyPair(alg);
    await refused(await sign(alg, someone(), {}, other));
    await refused(await sign(alg, someone(), { kid: 'unknown' }, other));
    await refused(await sign(alg, someone(), { kid: undefined }, other));
  });

  test("a key that comes with the token is nobody's: 401", async () => {
    const other = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(other.publicKey);
    await refused(await sign('ES256', someone(), { jwk }, other));
    await refused(await sign('ES256', someone(), { jwk, kid: undefined }, other));
    await refused(await sign('ES256', someone(), { jku: `${rig.url}/openapi.json` }, other));
  });

  test('HS256 signed with a public key as its secret: 401', async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const exp = Math.floor(Date.now() / 1000) + 600;
    const spki = await exportSPKI(keys.RS256.publicKey);
    const rsa = jwks.keys[0] ?? {};
    const secrets = [
      spki,
      spki.trim(),
      JSON.stringify(rsa),
      (rsa as { n?: string }).n ?? '',
      answer.body,
    ];
    for (const secret of secrets)
      for (const header of [{ alg: 'HS256', kid: 'RS256' }, { alg: 'HS256' }]) {
        const head = `${part(header)}.${part({ ...claimsOf(someone()), exp })}`;
        await refused(`${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`);
      }
  });

  test('one key with another algorithm than its own: 401', async () => {
    const key = await generateKeyPair('PS256');
    const token = await new SignJWT(claimsOf(someone()))
      .setProtectedHeader({ alg: 'PS256', kid: 'RS256' })
      .setExpirationTime('1h')
      .sign(key.privateKey);
    await refused(token);
    await refused(`${(await sign('RS256', someone())).split('.').slice(0, 2).join('.')}.`);
  });
});

describe('while the key set cannot be had', () => {
  beforeEach(() => rig.worker.restart());

  test.each([
    ['answers 500', { status: 500, body: 'down' }],
    ['answers a page', { status: 200, body: '<html>' }],
    ['answers something else', { status: 200, body: '{"keys":"none"}' }],
  ])('its service %s: 503, nobody gets in, and all is well once it is back', async (_, broken) => {
    const good = answer;
    const token = await sign('RS256', someone());
    answer = broken;
    const refusal = await me(token);
    answer = good;
    expect(refusal.headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await expectProblem(refusal, 503, 'service_unavailable'))['part']).toBe('auth');
    expect((await me(token)).status).toBe(200);
  });

  test('its service is gone: 503; what needs no token still answers', async () => {
    service.closeAllConnections();
    await new Promise((resolve) => service.close(resolve));
    const refusal = await me(await sign('ES256', someone()));
    expect(refusal.headers.get('retry-after')).toMatch(/^\d+$/);
    await expectProblem(refusal, 503, 'service_unavailable');
    expect((await rig.api('/v1/billing/plans')).status).toBe(200);
    await refused('garbage');
  });
});
