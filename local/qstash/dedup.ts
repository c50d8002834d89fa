import { createHash } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { Settings } from './settings.ts';

const windowMs = 10 * 60_000;

/** Remembers which message a deduplication id stands for, for ten minutes of the clock. */
export class Deduplication {
  #clock: Clock;
  // In order of expiry, since the window is the same for all.
  #seen = new Map<string, { id: string; until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The id of the earlier message with this key, or undefined. */
  find(key: string): string | undefined {
    const now = this.#clock.now();
    for (const [old, { until }] of this.#seen) {
      if (until > now) break;
      this.#seen.delete(old);
    }
    return this.#seen.get(key)?.id;
  }

  remember(key: string, id: string): void {
    this.#seen.set(key, { id, until: this.#clock.now() + windowMs });
  }
}

/**
 * The key of a message: its own id, or a hash of destination, body, content type and forwarded
 * headers. https://upstash.com/docs/qstash/features/deduplication
 */
export function deduplicationKey(
  url: string,
  settings: Settings,
  body: Buffer,
): string | undefined {
  if (settings.deduplicationId !== undefined) return `id:${settings.deduplicationId}`;
  if (!settings.contentBased) return undefined;
  const headers = Object.entries(settings.header).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256')
    .update(JSON.stringify([url, headers]))
    .update(body);
  return `content:${hash.digest('hex')}`;
}
