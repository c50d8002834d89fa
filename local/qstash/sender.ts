import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { SignJWT } from 'jose';
import { randomId, type SigningKeys } from './keys.ts';
import { methodOf, type Message } from './message.ts';
import { canonical, type HeaderMap, noHeaders } from './settings.ts';

/** What a delivery came to: the destination's answer, or why there was none. */
export type Reply = { status: number; header: HeaderMap; body: Buffer } | { error: string };

// The plan's "Max HTTP Response Duration" (pay as you go), which a message can only shorten.
const longestTimeoutMs = 2 * 3_600_000;
// Shorter than any server's keep-alive, so that a delivery never meets a socket being closed.
const idleSocketMs = 2_000;
const ownedByTransport = new Set(['Host', 'Content-Length', 'Connection', 'Transfer-Encoding']);

function headerMap(message: http.IncomingMessage): HeaderMap {
  const map = noHeaders();
  for (const [name, values] of Object.entries(message.headersDistinct))
    if (values) map[canonical(name)] = values;
  return map;
}

/** Signs and sends single attempts. Redirects are answers like any other; nothing is repeated here. */
export class Sender {
  #keys: SigningKeys;
  #random: () => number;
  #maxBytes: number;
  #stop = new AbortController();
  #agents = {
    'http:': new http.Agent({ keepAlive: true, timeout: idleSocketMs }),
    'https:': new https.Agent({ keepAlive: true, timeout: idleSocketMs }),
  };

  constructor(keys: SigningKeys, random: () => number, maxBytes: number) {
    this.#keys = keys;
    this.#random = random;
    this.#maxBytes = maxBytes;
    setMaxListeners(0, this.#stop.signal);
  }

  /** Aborted by `close`. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** One attempt; never throws. A longer answer than a message may be is cut off. */
  async send(message: Message): Promise<Reply> {
    try {
      const headers = await this.#headers(message);
      return await this.#exchange(message, headers);
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Aborts what is in flight and closes every socket. */
  close(): void {
    this.#stop.abort();
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  /** https://upstash.com/docs/qstash/howto/receiving lists the headers. */
  async #headers(message: Message): Promise<Record<string, string>> {
    const headers = Object.create(null) as Record<string, string>;
    for (const [name, values] of Object.entries(message.settings.header))
      if (!ownedByTransport.has(name)) headers[name] = values.join(', ');
    headers['User-Agent'] = 'Upstash-QStash';
    headers['Upstash-Message-Id'] = message.id;
    headers['Upstash-Retried'] = String(message.retried);
    headers['Upstash-Caller-Ip'] = message.callerIp;
    headers['Upstash-Signature'] = await this.#sign(message);
    if (message.body.length > 0) headers['Content-Length'] = String(message.body.length);
    return headers;
  }

  /** Claims as in https://upstash.com/docs/qstash/features/security, the body's hash padded. */
  async #sign(message: Message): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const hash = createHash('sha256').update(message.body).digest('base64');
    return new SignJWT({ body: hash.replaceAll('+', '-').replaceAll('/', '_') })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer('Upstash')
      .setSubject(message.url)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + 300)
      .setJti(randomId('jwt_', 28, this.#random))
      .sign(new TextEncoder().encode(this.#keys.shown.current));
  }

  #exchange(message: Message, headers: Record<string, string>): Promise<Reply> {
    const url = new URL(message.url);
    const secure = url.protocol === 'https:';
    const timeoutMs = Math.min(message.settings.timeoutMs ?? longestTimeoutMs, longestTimeoutMs);
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).request(url, {
        method: methodOf(message),
        headers,
        agent: this.#agents[secure ? 'https:' : 'http:'],
        signal: this.#stop.signal,
      });
      const timer = setTimeout(
        () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      request.once('close', () => clearTimeout(timer));
      request.once('error', reject);
      request.once('response', (response) => {
        this.#body(response).then(
          (body) =>
            resolve({ status: response.statusCode ?? 0, header: headerMap(response), body }),
          reject,
        );
      });
      request.end(message.body.length > 0 ? message.body : undefined);
    });
  }

  async #body(response: http.IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let room = this.#maxBytes;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, room));
      room -= Math.min(room, chunk.length);
    }
    return Buffer.concat(chunks);
  }
}
