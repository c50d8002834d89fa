import { Client, Receiver } from '@upstash/qstash';
import type { ServerResponse } from 'node:http';
import { expect, test as base, vi } from 'vitest';
import { wrong, wrongExchange } from './description.ts';
import { type Destination, type Hit, startDestination } from './destination.ts';
import { type Qstash, type QstashOptions, startQstash } from '../../../local/qstash/index.ts';

const token = 'test-token';

const signingKeys = { currentSigningKey: 'sig_current', nextSigningKey: 'sig_next' };

/** A stand-in a hundred times as fast as life, the real client, and a destination. */
export type Rig = {
  qstash: Qstash;
  client: Client;
  there: Destination;
  /** A raw request to the stand-in, with its token unless the headers say otherwise. */
  api: (path: string, init?: RequestInit) => Promise<Response>;
  setScale: (scale: number) => void;
  /** Lets the destination answer every delivery so. */
  answering: (status: number, headers?: Record<string, string>, delayMs?: number) => void;
  /** Lets every delivery wait; the function returned answers those that wait by then. */
  holding: () => (status: number) => void;
  close: () => Promise<void>;
};

/**
 * Starts a rig; to be closed after the test, when every call, every answer and every callback is held
 * against QStash's description.
 */
export async function startRig(options: Partial<QstashOptions> = {}): Promise<Rig> {
  const there = await startDestination();
  const qstash = await startQstash({ token, ...signingKeys, timeScale: 100, ...options });
  const exchanges: Promise<string[]>[] = [];
  qstash.observe((request, response) => void exchanges.push(wrongExchange(request, response)));
  const api: Rig['api'] = (path, init = {}) =>
    fetch(`${qstash.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    });
  return {
    qstash,
    client: new Client({ baseUrl: qstash.url, token, retry: false }),
    there,
    api,
    setScale: (scale) => qstash.setTimeScale(scale),
    answering: (status, headers = {}, delayMs = 0) => {
      there.answer = (_hit, response) => {
        setTimeout(() => response.writeHead(status, headers).end('no'), delayMs);
      };
    },
    holding: () => {
      const held: ServerResponse[] = [];
      there.answer = (_hit, response) => void held.push(response);
      return (status) => held.splice(0).forEach((response) => response.writeHead(status).end('no'));
    },
    close: async () => {
      await qstash.close();
      await there.close();
      const callbacks = there.hits.map(json).filter((body) => 'sourceMessageId' in body);
      for (const body of callbacks)
        expect(wrong('dlqId' in body ? 'FailureCallback' : 'Callback', body)).toBeUndefined();
      expect((await Promise.all(exchanges)).flat()).toEqual([]);
    },
  };
}

/** A test with a rig of its own, started before and closed after it. */
export const test = base.extend<{ rig: Rig }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads what a fixture needs from the pattern
  rig: async ({}, use) => {
    // The SDK reports every refusal there.
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const rig = await startRig();
    await use(rig);
    await rig.close();
  },
});

/** Verifies a delivery with the SDK's `Receiver`; rejects as that does. */
export const verify = (hit: Hit, url: string, keys = signingKeys): Promise<boolean> =>
  new Receiver(keys).verify({
    signature: String(hit.headers['upstash-signature']),
    body: hit.body.toString(),
    url,
  });

/** The body of a delivery as JSON; an empty object when it is not a JSON object. */
export function json(hit: Hit): Record<string, unknown> {
  try {
    return Object(JSON.parse(hit.body.toString())) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** The first delivery; the test fails when there is none. */
export const first = (hits: Hit[]): Hit => hits[0] ?? expect.fail('no hit');

/** The `Upstash-Retried` of each delivery. */
export const retriedOf = (hits: Hit[]): unknown[] =>
  hits.map((hit) => hit.headers['upstash-retried']);

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Milliseconds between one delivery and the next. */
export const gaps = (hits: Hit[]): number[] =>
  hits.slice(1).map((hit, n) => hit.at - (hits[n]?.at ?? 0));

/** `count` times the same. */
export const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
