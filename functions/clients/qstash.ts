import { Client, Receiver } from '@upstash/qstash';

/** Publishes messages. The SDK's own retries are few: the watchdog publishes what was not. */
export const createQstash = (options: { url: string; token: string }): Client =>
  new Client({
    baseUrl: options.url,
    token: options.token,
    retry: { retries: 2, backoff: (attempt) => 100 * 2 ** attempt },
    enableTelemetry: false,
  });

/** Verifies deliveries with the current signing key, then the next. */
export const createReceiver = (options: {
  currentSigningKey: string;
  nextSigningKey: string;
}): Receiver => new Receiver(options);
