import { setTimeout as wait } from 'node:timers/promises';
import type { Fault, Faults } from '../support/faults.ts';
import type { Clock } from './clock.ts';
import type { FlowControl } from './flow-control.ts';
import type { Message } from './message.ts';
import type { Reply, Sender } from './sender.ts';
import { canonical, noHeaders } from './settings.ts';

// A reordered message goes out after this long even when no other follows it.
const reorderPatienceMs = 1_000;

function pretended(fault: Fault): Reply {
  const body = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? {});
  const header = Object.assign(noHeaders(), { 'Content-Type': ['application/json'] });
  for (const [name, value] of Object.entries(fault.headers ?? {}))
    header[canonical(name)] = [value];
  return { status: fault.status ?? 500, header, body: Buffer.from(body) };
}

type Parts = { clock: Clock; flowControl: FlowControl; sender: Sender; faults: Faults };
type Hooks = {
  /** The message goes out now. */
  started: (message: Message) => void;
  /** A `reorder` fault puts the message back until another was delivered. */
  putBack: (message: Message) => void;
  /** What the attempt came to. */
  ended: (message: Message, reply: Reply) => void;
  /** Asks whether a message put back still wants to go. */
  dueAgain: (message: Message) => void;
};

/** Starts what flow control lets start, lets delivery faults strike, and reports how attempts end. */
export class Dispatcher {
  /** Attempts begun since the start. */
  attempts = 0;
  #parts: Parts;
  #hooks: Hooks;
  #held: { message: Message; sinceAttempt: number }[] = [];
  #closed = false;

  constructor(parts: Parts, hooks: Hooks) {
    this.#parts = parts;
    this.#hooks = hooks;
  }

  /** Starts every message that may start now. */
  pump(): void {
    if (this.#closed) return;
    for (let next = this.#parts.flowControl.next(); next; next = this.#parts.flowControl.next())
      this.#start(next);
  }

  close(): void {
    this.#closed = true;
    this.#held = [];
  }

  #start(message: Message): void {
    const drawn = message.held ?? this.#parts.faults.take('delivery', message.url);
    const reorder = drawn.some((fault) => fault.kind === 'reorder');
    message.held = reorder ? drawn.filter((fault) => fault.kind !== 'reorder') : undefined;
    if (reorder) {
      this.#putBack(message);
      return;
    }
    this.attempts += 1;
    this.#hooks.started(message);
    // `#attempt` never rejects; what it throws is a fault of this stand-in and must surface.
    void this.#attempt(message, drawn, this.attempts);
  }

  #putBack(message: Message): void {
    this.#hooks.putBack(message);
    this.#parts.flowControl.done(message);
    const entry = { message, sinceAttempt: this.attempts };
    this.#held.push(entry);
    const { clock } = this.#parts;
    clock.after(reorderPatienceMs * clock.scale, () => this.#release((held) => held === entry));
  }

  #release(chosen: (entry: { message: Message; sinceAttempt: number }) => boolean): void {
    const going = this.#held.filter(chosen);
    this.#held = this.#held.filter((entry) => !going.includes(entry));
    for (const { message } of going) this.#hooks.dueAgain(message);
  }

  async #attempt(message: Message, faults: Fault[], number: number): Promise<void> {
    const reply = await this.#deliver(message, faults);
    if (this.#closed) return;
    this.#parts.flowControl.done(message);
    this.#hooks.ended(message, reply);
    if (this.#held.length > 0) this.#release((entry) => entry.sinceAttempt < number);
    this.pump();
  }

  async #deliver(message: Message, faults: Fault[]): Promise<Reply> {
    const find = (kind: Fault['kind']) => faults.find((fault) => fault.kind === kind);
    const { sender } = this.#parts;
    const lost: Reply = { error: 'connection lost' };
    for (const fault of faults)
      if (fault.kind === 'latency')
        await wait(fault.ms ?? 0, undefined, { signal: sender.stopped }).catch(() => undefined);
    const drop = find('drop');
    const status = find('status');
    if (this.#closed || (drop && drop.when !== 'after')) return lost;
    if (status) return pretended(status);
    const copies = find('duplicate') ? 2 : 1;
    const replies = await Promise.all(Array.from({ length: copies }, () => sender.send(message)));
    return drop ? lost : (replies[0] ?? lost);
  }
}
