import type { Message, MessageState } from './message.ts';

/** The live messages by id, and how many there are and were in each state. */
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

  add(message: Message): void {
    this.live.set(message.id, message);
    this.counts[message.state] += 1;
  }

  move(message: Message, state: MessageState): void {
    this.counts[message.state] -= 1;
    this.counts[state] += 1;
    message.state = state;
  }

  finish(message: Message, state: 'delivered' | 'failed' | 'cancelled'): void {
    this.move(message, state);
    this.live.delete(message.id);
  }
}
