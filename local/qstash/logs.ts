import { maxRetriesOf, methodOf, redactedBody, shownHeader, type Message } from './message.ts';
import type { Reply } from './sender.ts';

/** As in the OpenAPI document (the SDK's types say CANCELED and know no CANCEL_REQUESTED). */
type LogState =
  | 'CREATED'
  | 'ACTIVE'
  | 'RETRY'
  | 'ERROR'
  | 'DELIVERED'
  | 'FAILED'
  | 'CANCEL_REQUESTED'
  | 'CANCELLED';

/** One change of state; `order` makes the cursor unique within a millisecond. */
type LogEntry = {
  order: number;
  time: number;
  state: LogState;
  message: Message;
  reply: Reply | undefined;
  nextDeliveryTime: number | undefined;
};

// QStash keeps the last 10,000 (https://upstash.com/docs/qstash/howto/debug-logs).
const keptLogs = 10_000;

export class Logs {
  #entries: LogEntry[] = [];
  #order = 0;

  add(
    state: LogState,
    message: Message,
    more: { reply?: Reply; nextDeliveryTime?: number } = {},
  ): void {
    this.#entries.push({
      order: this.#order++,
      time: Date.now(),
      state,
      message,
      reply: more.reply,
      nextDeliveryTime: more.nextDeliveryTime,
    });
    // Cut in blocks: dropping the oldest one by one would copy the list at every entry.
    if (this.#entries.length >= 2 * keptLogs) this.#entries = this.#entries.slice(-keptLogs);
  }

  /** Newest first. */
  newest(): LogEntry[] {
    return this.#entries.slice(-keptLogs).toReversed();
  }
}

/** A log entry as `GET /v2/events` answers it (`LogEntry`). */
export function logView({ time, state, message, reply, nextDeliveryTime }: LogEntry) {
  const answered = reply && 'status' in reply;
  return {
    time,
    state,
    messageId: message.id,
    url: message.url,
    header: shownHeader(message.settings),
    body: redactedBody(message.settings, message.body) ?? message.body.toString('base64'),
    nextDeliveryTime,
    error: reply && (answered ? `destination answered ${reply.status}` : reply.error),
    ...(answered && {
      responseStatus: reply.status,
      responseHeaders: reply.header,
      responseBody: reply.body.toString('base64'),
    }),
    method: methodOf(message),
    maxRetries: maxRetriesOf(message),
    retryDelayExpression: message.settings.retryDelay?.source,
    timeout: message.settings.timeoutMs,
    callback: message.settings.callback,
    failureCallback: message.settings.failureCallback,
    label: message.settings.labels?.[0],
    labels: message.settings.labels,
  };
}
