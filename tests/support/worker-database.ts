import { startNeonProxy } from '../../local/neon-proxy/index.ts';
import { Faults, type Fault } from '../../local/support/faults.ts';

/** Breaks the n-th statement from now (counted from 1), and that one alone. */
export class NthFault extends Faults {
  #left = 0;
  #when: 'before' | 'after' = 'before';
  /** Statements seen since `arm`. */
  seen = 0;

  arm(nth: number, when: 'before' | 'after'): void {
    this.#left = nth;
    this.#when = when;
    this.seen = 0;
  }

  override take(on: Fault['on'], subject: string): Fault[] {
    this.seen += 1;
    this.#left -= 1;
    const struck = super.take(on, subject);
    return this.#left === 0 ? [...struck, { id: 0, on, kind: 'drop', when: this.#when }] : struck;
  }
}

/** A Neon proxy of a test's own, that it can break, stop and start again at the same address. */
export async function ownProxy() {
  const faults = new NthFault();
  let proxy = await startNeonProxy({ faults });
  const { url, port } = proxy;
  return {
    url,
    faults,
    stop: () => proxy.close(),
    start: async () => {
      proxy = await startNeonProxy({ faults, port });
    },
  };
}
