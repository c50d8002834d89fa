import { LuaError, type LuaValue } from './values.ts';

/** The locals of a block; inner ones hide outer ones. */
export class Scope {
  #names = new Map<string, LuaValue>();
  #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  declare(name: string, value: LuaValue): void {
    this.#names.set(name, value);
  }

  holder(name: string): Scope | undefined {
    return this.#names.has(name) ? this : this.#outer?.holder(name);
  }

  get(name: string): LuaValue {
    return this.#names.get(name);
  }
}

/** Redis has one thread and so has this process: a script may not run for ever. */
const MAX_STEPS = 5_000_000;

/** Counts what a script does and stops it in the end. */
export class Budget {
  #steps = 0;

  step(): void {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS)
      throw new LuaError('the script ran too long for the built-in store, stopped');
  }
}
