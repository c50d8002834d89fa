import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Fault } from '../support/faults.ts';
import type { Alarm } from './clock.ts';
import type { Reply } from './sender.ts';
import type { HeaderMap, Settings } from './settings.ts';

/**
 * `pending`: its time has not come. `waiting`: due, but flow control or the global ceiling holds it.
 * `active`: being delivered. The other three are final.
 */
export type MessageState = 'pending' | 'waiting' | 'active' | 'delivered' | 'failed' | 'cancelled';

/** A message as the engine keeps it; times are Unix milliseconds. */
export type Message = {
  id: string;
  url: string;
  body: Buffer;
  settings: Settings;
  callerIp: string;
  createdAt: number;
  notBefore: number;
  state: MessageState;
  retried: number;
  alarm?: Alarm | undefined;
  cancelRequested: boolean;
  /** Faults drawn for an attempt that a `reorder` fault put back. */
  held?: Fault[] | undefined;
};

/** A message about to be accepted. */
export type Draft = {
  url: string;
  settings: Settings;
  body: Buffer;
  callerIp: string;
};

/** Answer of a publish. */
export type Published = { messageId: string; deduplicated?: true };

/** A message that failed for good, with the last answer. */
export type DeadMessage = { dlqId: string; diedAt: number; message: Message; reply: Reply };

/** Three retries unless the message says otherwise. */
export const maxRetriesOf = ({ settings }: Pick<Message, 'settings'>): number =>
  settings.retries ?? 3;
export const methodOf = (message: Message): string => message.settings.method ?? 'POST';

const hidden = (content: Uint8Array | string): string =>
  `REDACTED:${createHash('sha256').update(content).digest('hex')}`;

/** The headers as they are shown: https://upstash.com/docs/qstash/howto/redact-fields */
export function shownHeader({ header, redact = [] }: Settings): HeaderMap {
  const all = redact.includes('header') || redact.includes('headers');
  const named = new Set(redact.map((item) => /^headers?\[(.+)\]$/.exec(item)?.[1]?.toLowerCase()));
  return Object.fromEntries(
    Object.entries(header).map(([name, values]) =>
      all || named.has(name.toLowerCase()) ? [name, values.map(hidden)] : [name, values],
    ),
  );
}

/** The hash in place of a body that is redacted, else undefined. */
export const redactedBody = ({ redact }: Settings, body: Buffer): string | undefined =>
  redact?.includes('body') ? hidden(body) : undefined;

/** `{body}` when the bytes are UTF-8, `{bodyBase64}` when not, nothing when empty. */
function shownBody(body: Buffer, prefix: 'body' | 'responseBody' = 'body') {
  if (body.length === 0) return {};
  return isUtf8(body)
    ? { [prefix]: body.toString() }
    : { [`${prefix}Base64`]: body.toString('base64') };
}

/** The settings as messages and dead messages show them; undefined ones leave no trace. */
function shownSettings(settings: Settings, body: Buffer) {
  const redacted = redactedBody(settings, body);
  return {
    method: settings.method ?? 'POST',
    header: shownHeader(settings),
    ...(redacted === undefined ? shownBody(body) : { body: redacted }),
    retryDelayExpression: settings.retryDelay?.source,
    callback: settings.callback,
    failureCallback: settings.failureCallback,
    label: settings.labels?.[0],
    labels: settings.labels,
    flowControlKey: settings.flowKey,
    parallelism: settings.limits?.parallelism,
    rate: settings.limits?.rate,
    period: settings.limits?.rate && (settings.limits.periodMs ?? 1_000) / 1_000,
  };
}

/** A message as `GET /v2/messages/{id}` answers it (the OpenAPI document's `Message`). */
export function messageView(message: Message) {
  return {
    messageId: message.id,
    url: message.url,
    ...shownSettings(message.settings, message.body),
    maxRetries: maxRetriesOf(message),
    notBefore: message.notBefore,
    createdAt: message.createdAt,
    callerIP: message.callerIp,
  };
}

/** A dead message as `GET /v2/dlq` lists it (`DLQMessage`); no response fields after a network failure. */
export function deadView({ dlqId, message, reply }: DeadMessage) {
  const answered = 'status' in reply;
  return {
    ...messageView(message),
    dlqId,
    ...(answered && {
      responseStatus: reply.status,
      responseHeader: reply.header,
      ...shownBody(reply.body, 'responseBody'),
    }),
  };
}
