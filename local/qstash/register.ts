import type { Message, MessageState } from './message.ts';

const keptFinished = 20_000;
const keptBytes = 256 * 1024 * 1024;

/** Every message by id and state; the finished ones only as far back as the bounds allow. */
export class Register {
  /** Messages that are neither delivered, failed nor cancelled. */
  readonly live = new Map<string, Message>();
  readonly counts: Record<MessageState, number> = {
    pending: 0,
    waiting: 0,
    active: 0,
    delivered: 0,
    failed: 0,
    cancelled: 0,
  };
  #finished = new Map<string, Message>();
  #finishedBytes = 0;

  add(message: Message): void {
    this.live.set(message.id, message);
    this.counts[message.state] += 1;
  }

  finished(id: string): Message | undefined {
    return this.#finished.get(id);
  }

  move(message: Message, state: MessageState): void {
    this.counts[message.state] -= 1;
    this.counts[state] += 1;
    message.state = state;
  }

  finish(message: Message, state: 'delivered' | 'failed' | 'cancelled'): void {
    this.move(message, state);
    this.live.delete(message.id);
    this.#finished.set(message.id, message);
    this.#finishedBytes += message.body.length;
    while (this.#finished.size > keptFinished || this.#finishedBytes > keptBytes) this.#forget();
  }

  #forget(): void {
    const [oldest] = this.#finished.values();
    if (!oldest) return;
    this.#finished.delete(oldest.id);
    this.#finishedBytes -= oldest.body.length;
    // The log still names the message; only the dead-letter queue needs its body.
    if (oldest.state !== 'failed') oldest.body = Buffer.alloc(0);
  }
}
