import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SignJWT, type JWTPayload } from 'jose';
import Stripe from 'stripe';
import { expect } from 'vitest';

export type CallOptions = {
  method?: string;
  token?: string | undefined;
  /** A string, bytes or stream goes as it is; anything else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
};

export type Me = {
  id: string;
  externalId: string;
  email: string | null;
  credits: {
    balance: number;
    plan: number;
    bonus: number;
    purchased: number;
    held: number;
    unlimited: boolean;
    resetsAt: string | null;
    resetsLots: string[];
  };
  subscription: { plan: string; status: string; interval: string } | null;
  suspended: { since: string; reason: string } | null;
};

export type Entry = {
  id: string;
  at: string;
  kind: string;
  amount: number;
  lots: { plan: number; bonus: number; purchased: number };
  balanceAfter: number;
  source: { type: string; id: string };
  jobId: string | null;
};

export type Job = {
  id: string;
  status: string;
  filename: string;
  rows: { total: number; done: number; succeeded: number; failed: number; skipped: number };
  credits: { held: number; charged: number; released: number };
  progress: number;
  etaSeconds: number | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  waiting: { provider: string; reason: string; until: string | null } | null;
  warnings: string[];
  usage: {
    tokensIn: number;
    tokensOut: number;
    searches: number;
    cachedSearches: number;
    messages: number;
  };
  error: string | null;
};

const isRaw = (body: unknown): boolean =>
  typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;

/** Asks until `condition` gives something; the time is only a bound on how long a failure takes. */
export async function waitFor<T>(
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  for (const until = Date.now() + timeoutMs; ; await delay(20)) {
    const found = await condition();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > until) throw new Error(`Not within ${timeoutMs} ms: ${String(condition)}`);
  }
}

/** The Worker as its callers see it: users, Stripe, QStash. */
export class WorkerClient {
  readonly url: string;
  readonly #env: Record<string, string>;

  constructor(url: string, env: Record<string, string>) {
    this.url = url;
    this.#env = env;
  }

  api(path: string, { method, token, body, headers }: CallOptions = {}): Promise<Response> {
    const isJson = body !== undefined && !isRaw(body);
    const init: RequestInit & { duplex?: 'half' } = {
      method: method ?? 'GET',
      redirect: 'manual',
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(isJson && { 'content-type': 'application/json' }),
        ...headers,
      },
    };
    if (body !== undefined) init.body = (isJson ? JSON.stringify(body) : body) as string;
    if (body instanceof ReadableStream) init.duplex = 'half';
    return fetch(path.startsWith('http') ? path : this.url + path, init);
  }

  /** The body of a success. */
  async json<T>(path: string, options: CallOptions = {}): Promise<T> {
    const answer = await this.api(path, options);
    const text = await answer.text();
    if (!answer.ok)
      throw new Error(`${options.method ?? 'GET'} ${path} → ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** A token as the frontend's sign-in issues it; `claims` win, and undefined takes one away. */
  token(sub: string, email: string | null, claims: Record<string, unknown> = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload = {
      sub,
      ...(email !== null && { email, email_verified: true }),
      iss: this.#env['AUTH_ISSUER'],
      aud: this.#env['AUTH_AUDIENCE'],
      iat: now,
      exp: now + 3600,
      ...claims,
    };
    return new SignJWT(payload as JWTPayload)
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .sign(new TextEncoder().encode(this.#env['AUTH_JWT_SECRET']));
  }

  /** A token of a user who has just signed up. */
  async user(sub: string, email: string | null = `${sub}@people.example`) {
    const token = await this.token(sub, email);
    return { token, me: await this.me(token) };
  }

  me = (token: string): Promise<Me> => this.json('/v1/me', { token });

  entries = async (token: string): Promise<Entry[]> =>
    (await this.json<{ items: Entry[] }>('/v1/credits/entries?limit=100', { token })).items;

  /** Posts an event (or any text) as Stripe does, signed unless said otherwise. */
  postWebhook(
    event: unknown,
    options: { secret?: string; timestamp?: number; signature?: string | null; sent?: string } = {},
  ): Promise<Response> {
    const payload = typeof event === 'string' ? event : JSON.stringify(event);
    const header = Stripe.webhooks.generateTestHeaderString({
      payload,
      secret: options.secret ?? this.#env['STRIPE_WEBHOOK_SECRET'] ?? '',
      timestamp: options.timestamp ?? Math.floor(Date.now() / 1000),
    });
    const signature = options.signature === undefined ? header : options.signature;
    return this.api('/webhooks/stripe', {
      method: 'POST',
      body: options.sent ?? payload,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        ...(signature !== null && { 'stripe-signature': signature }),
      },
    });
  }

  /** QStash's signature of a message. Source: upstash.com/docs/qstash/features/security */
  queueSignature(
    path: string,
    body: string,
    options: { key?: string; claims?: Record<string, unknown> } = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const hash = createHash('sha256').update(body).digest('base64url');
    const key = options.key ?? this.#env['QSTASH_CURRENT_SIGNING_KEY'] ?? '';
    const payload = {
      iss: 'Upstash',
      sub: `${this.#env['PUBLIC_URL']}${path}`,
      iat: now,
      nbf: now,
      exp: now + 300,
      jti: 'jwt_rig',
      body: hash,
      ...options.claims,
    };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .sign(new TextEncoder().encode(key));
  }

  /** Posts to a queue route; without `signature`, signed by the current key. */
  async postQueue(path: string, body: string, signature?: string | null): Promise<Response> {
    const header = signature === undefined ? await this.queueSignature(path, body) : signature;
    return this.api(path, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        ...(header !== null && { 'upstash-signature': header }),
      },
    });
  }

  createJob = async (token: string, body: Record<string, unknown> = {}): Promise<Job> =>
    (
      await this.json<{ job: Job }>('/v1/jobs', {
        method: 'POST',
        token,
        body: { filename: 'leads.csv', ...body },
      })
    ).job;

  upload = (token: string, id: string, body: string | Uint8Array): Promise<Response> =>
    this.api(`/v1/jobs/${id}/input`, {
      method: 'PUT',
      token,
      body,
      headers: { 'content-type': 'text/csv' },
    });

  readJob = (token: string, id: string): Promise<Job> => this.json(`/v1/jobs/${id}`, { token });

  /** A job whose file is accepted. */
  async startJob(token: string, csv: string | Uint8Array): Promise<Job> {
    const { id } = await this.createJob(token);
    const answer = await this.upload(token, id, csv);
    expect(answer.status, await answer.clone().text()).toBe(202);
    return ((await answer.json()) as { job: Job }).job;
  }

  /** Waits until a job has ended, in whichever way. */
  ended = (token: string, id: string, timeoutMs?: number): Promise<Job> =>
    waitFor(async () => {
      const job = await this.readJob(token, id);
      return /^(completed|cancelled|failed)$/.test(job.status) && job;
    }, timeoutMs);

  output = async (token: string, id: string, query = ''): Promise<string> => {
    const answer = await this.api(`/v1/jobs/${id}/output${query}`, { token });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (answer.status !== 200) throw new Error(`output → ${answer.status} ${text}`);
    return text;
  };
}
