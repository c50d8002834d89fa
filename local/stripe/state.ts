import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Deliveries, Delivery } from './core/deliveries.ts';
import type { Idempotency } from './core/idempotency.ts';
import type { Saved } from './core/store.ts';
import type { World } from './core/world.ts';

type File = {
  version: 2;
  offsetMs: number;
  store: Saved;
  idempotency: ReturnType<Idempotency['save']>;
  deliveries: Delivery[];
};
type Parts = { world: World; idempotency: Idempotency; deliveries: Deliveries };

const saveAfterMs = 500;

/** What an earlier run wrote to `path`, or undefined. @throws Error for a file that is not ours. */
export function readState(path: string | undefined): File | undefined {
  if (path === undefined || !existsSync(path)) return undefined;
  const file = JSON.parse(readFileSync(path, 'utf8')) as File;
  if (file.version !== 2)
    throw new Error(`${path} is of an older Stripe stand-in: delete its folder and start afresh.`);
  return file;
}

export function restore({ world, idempotency, deliveries }: Parts, file: File | undefined): void {
  if (!file) return;
  world.store.load(file.store);
  idempotency.load(file.idempotency);
  deliveries.load(file.deliveries);
}

/** Writes the state a moment after each change, and once more when it is closed. */
export class Keeper {
  #timer: NodeJS.Timeout | undefined;
  #path: string | undefined;
  #parts: Parts;

  constructor(path: string | undefined, parts: Parts) {
    this.#path = path;
    this.#parts = parts;
  }

  /** Says that something may have changed. */
  touch(): void {
    if (this.#path === undefined) return;
    this.#timer ??= setTimeout(() => this.#write(), saveAfterMs).unref();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#path === undefined) return;
    const { world, idempotency, deliveries } = this.#parts;
    const file: File = {
      version: 2,
      offsetMs: world.clock.offsetMs,
      store: world.store.save(),
      idempotency: idempotency.save(),
      deliveries: deliveries.all,
    };
    const half = `${this.#path}.half`;
    writeFileSync(half, JSON.stringify(file));
    renameSync(half, this.#path);
  }

  close(): void {
    this.#write();
  }
}
