import { maxRetriesOf, methodOf, type Message } from './message.ts';
import type { Reply } from './sender.ts';
import type { Settings } from './settings.ts';

/**
 * The JSON body of a callback, or with `dlqId` of a failure callback.
 * Fields: https://upstash.com/docs/qstash/features/callbacks; as a Go server does, empty ones are
 * left out (a body captured in 2024 had no `retried` on a first attempt). `status` is 0 when the
 * destination gave no answer.
 */
export function callbackBody(message: Message, reply: Reply, dlqId?: string): Buffer {
  const answered = 'status' in reply;
  return Buffer.from(
    JSON.stringify({
      status: answered ? reply.status : 0,
      header: answered ? reply.header : {},
      body: (answered ? reply.body : Buffer.from(reply.error)).toString('base64'),
      retried: message.retried || undefined,
      maxRetries: maxRetriesOf(message),
      dlqId,
      sourceMessageId: message.id,
      url: message.url,
      method: methodOf(message),
      sourceHeader: message.settings.header,
      sourceBody: message.body.toString('base64'),
      notBefore: message.notBefore,
      createdAt: message.createdAt,
      callerIP: message.callerIp,
    }),
  );
}

/** The settings of a callback message: its own, else the retries of the message it speaks of. */
export function callbackSettings(message: Message, own: Settings | undefined): Settings {
  return {
    retries: maxRetriesOf(message),
    ...own,
    header: { 'Content-Type': ['application/json'], ...own?.header },
  };
}
