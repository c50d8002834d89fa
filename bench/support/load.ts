import { Worker } from 'node:worker_threads';
import type { Outcome, Task } from './load-tasks.ts';

type Message = { outcome: Outcome } | { error: string };

/** The clients, in a thread of their own: the stand-ins share this one. One task at a time. */
export class Load {
  readonly #worker = new Worker(new URL('load-thread.ts', import.meta.url));

  perform(task: Task): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', (message: Message) => {
        if ('outcome' in message) resolve(message.outcome);
        else reject(new Error(message.error));
      });
      this.#worker.postMessage(task, []);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** @throws Error unless every answer had this status: a refusal is quick and would flatter. */
export function expectStatus(outcome: Outcome, status: number): void {
  const other = Object.keys(outcome.statuses).find((given) => Number(given) !== status);
  if (other !== undefined)
    throw new Error(`Answered ${other} instead of ${status}: ${outcome.said.slice(0, 300)}`);
}
