import { Client, Receiver } from '@upstash/qstash';

/** Publishes messages. The SDK's own retries are few: the watchdog publishes what was not. */
export const createQstash = (options: { url: string; token: string }): Client =>
  new Client({
    baseUrl: options.url,
    token: options.token,
    retry: { retries: 2, backoff: (attempt) => 100 * 2 ** attempt },
    enableTelemetry: false,
  });

/**
 * Takes back the messages with a label. QStash answers at once and cancels in the background: until it has
 * got to a message, that may still be delivered. The SDK's own cancel asks it to finish first, which it
 * may hold for a minute.
 * Source: upstash.com/docs/qstash, `DELETE /v2/messages?async=true`
 */
export const cancelByLabel = async (qstash: Pick<Client, 'http'>, label: string): Promise<void> => {
  await qstash.http.request({
    method: 'DELETE',
    path: ['v2', 'messages'],
    query: { label, async: true },
  });
};

/** Verifies deliveries with the current signing key, then the next. */
export const createReceiver = (options: {
  currentSigningKey: string;
  nextSigningKey: string;
}): Receiver => new Receiver(options);
