/** What a row costs and what the platform grants. Milliseconds. */
export type Limits = {
  searchMs: number;
  llmFirstByteMs: number;
  /** Of the stream behind the first byte: it holds no slot. */
  llmStreamMs: number;
  /** Requests of one invocation that may wait for headers at once. */
  slots: number;
  /** PARALLEL_ROWS_PER_INVOCATION. */
  rowsAtOnce: number;
  /** Deliveries at once. */
  invocations: number;
};

/** A queue of things to do by time; those of the same time in the order they came. */
class Agenda {
  #items: { at: number; act: () => void }[] = [];
  now = 0;

  after(ms: number, act: () => void): void {
    const at = this.now + ms;
    let i = this.#items.length;
    while (i > 0 && (this.#items[i - 1]?.at ?? 0) > at) i -= 1;
    this.#items.splice(i, 0, { at, act });
  }

  run(): number {
    for (let item = this.#items.shift(); item; item = this.#items.shift()) {
      this.now = item.at;
      item.act();
    }
    return this.now;
  }
}

/**
 * Milliseconds that one invocation needs for a chunk: each row searches (a slot until the answer's
 * headers), then asks the model (a slot until its first byte), then reads the stream without a slot.
 * Slots are handed out first come, first served, as the Worker does. Nothing else takes time.
 */
export function chunkMs(rows: number, limits: Limits): number {
  const agenda = new Agenda();
  const waiting: (() => void)[] = [];
  let free = limits.slots;
  let next = 0;
  const withSlot = (ms: number, then: () => void): void => {
    const begin = (): void =>
      agenda.after(ms, () => {
        const other = waiting.shift();
        if (other) other();
        else free += 1;
        then();
      });
    if (free === 0) {
      waiting.push(begin);
      return;
    }
    free -= 1;
    begin();
  };
  const work = (): void => {
    if (next === rows) return;
    next += 1;
    withSlot(limits.searchMs, () =>
      withSlot(limits.llmFirstByteMs, () => agenda.after(limits.llmStreamMs, work)),
    );
  };
  for (let i = 0; i < Math.min(limits.rowsAtOnce, rows); i += 1) work();
  return agenda.run();
}

/** Seconds for a job cut into chunks of `size`, all published at once, delivered in order. */
export function jobSeconds(rows: number, size: number, limits: Limits): number {
  const chunks = Math.ceil(rows / size);
  const whole = chunkMs(size, limits);
  const last = chunkMs(rows - (chunks - 1) * size, limits);
  const waves = Math.floor((chunks - 1) / limits.invocations);
  // All chunks but the last take equally long: full waves, then what is left; the last may be shorter.
  const isLastAlone = (chunks - 1) % limits.invocations === 0;
  return (waves * whole + (isLastAlone ? last : whole)) / 1000;
}

/** The best that any chunk size up to `largest` would reach. */
export function bestChunking(rows: number, largest: number, limits: Limits) {
  let best = { size: 1, seconds: jobSeconds(rows, 1, limits) };
  for (let size = 2; size <= largest; size += 1) {
    const seconds = jobSeconds(rows, size, limits);
    if (seconds < best.seconds) best = { size, seconds };
  }
  return best;
}
