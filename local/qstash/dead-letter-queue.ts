import type { Selection } from './filter.ts';
import type { DeadMessage, Message } from './message.ts';
import type { Reply } from './sender.ts';

// Real retention is by time and plan; a bound on the number keeps a long test run small.
const keptDead = 20_000;

/** The dead-letter queue, oldest first; ids have the form of Redis stream ids (`1725323658779-0`). */
export class DeadLetterQueue {
  #byId = new Map<string, DeadMessage>();
  #last = { time: 0, order: 0 };

  get size(): number {
    return this.#byId.size;
  }

  add(message: Message, reply: Reply): string {
    const time = Math.max(Date.now(), this.#last.time);
    this.#last = { time, order: time === this.#last.time ? this.#last.order + 1 : 0 };
    const dlqId = `${time}-${this.#last.order}`;
    this.#byId.set(dlqId, { dlqId, diedAt: time, message, reply });
    const [oldest] = this.#byId.keys();
    if (this.#byId.size > keptDead && oldest) this.#byId.delete(oldest);
    return dlqId;
  }

  get(dlqId: string): DeadMessage | undefined {
    return this.#byId.get(dlqId);
  }

  delete(dlqId: string): boolean {
    return this.#byId.delete(dlqId);
  }

  /** One page of what is selected, and the cursor of the next page if there is more. */
  select({ ids, matches, count, cursor }: Selection): {
    found: DeadMessage[];
    cursor: string | undefined;
  } {
    if (ids) return { found: ids.flatMap((id) => this.#byId.get(id) ?? []), cursor: undefined };
    const found: DeadMessage[] = [];
    for (const dead of this.#byId.values()) {
      if (cursor && dead.dlqId.localeCompare(cursor, 'en', { numeric: true }) <= 0) continue;
      const responseStatus = 'status' in dead.reply ? dead.reply.status : 0;
      if (!matches({ message: dead.message, time: dead.diedAt, responseStatus })) continue;
      if (found.length === count) return { found, cursor: found.at(-1)?.dlqId };
      found.push(dead);
    }
    return { found, cursor: undefined };
  }
}
