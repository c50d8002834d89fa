import type { Clock } from './clock.ts';
import type { Plan } from './plan.ts';
import { Refusal } from './problem.ts';

/** A bulk cancel by filter, as `GET /v2/bulkActions/{actionId}` answers it (`BulkAction`). */
export type BulkAction = {
  actionId: string;
  kind: 'cancel';
  state: 'IN_PROGRESS' | 'FINISHED';
  /** Messages that matched when the action was created. */
  total: number;
  processed: number;
  createdAt: number;
  completedAt?: number;
  filter: Record<string, string[]>;
};

const keptMs = 7 * 86_400_000;

type Entry = { action: BulkAction; until: number; finished: Promise<true> };
type Parts = { clock: Clock; plan: Plan; newId: (prefix: string) => string };

/** Bulk actions in the order of their creation, kept for seven days of the clock. */
export class BulkActions {
  #parts: Parts;
  #byId = new Map<string, Entry>();
  #running = new Map<string, Entry>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  list(): BulkAction[] {
    return [...this.#byId.values()].map(({ action }) => action);
  }

  get(actionId: string): BulkAction | undefined {
    return this.#byId.get(actionId)?.action;
  }

  /** Starts to cancel what `select` finds; the same filter again joins the action in progress. */
  start(
    filter: BulkAction['filter'],
    select: () => string[],
    cancel: (id: string) => void,
  ): BulkAction {
    const { clock, plan, newId } = this.#parts;
    const key = JSON.stringify(Object.entries(filter).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const same = this.#running.get(key);
    if (same) return same.action;
    if (this.#running.size >= plan.bulkActions)
      throw new Refusal(412, `too many bulk actions in progress, limit: ${plan.bulkActions}`);
    const now = clock.now();
    for (const [id, { until }] of this.#byId) if (until <= now) this.#byId.delete(id);
    const ids = select();
    const { promise: finished, resolve } = Promise.withResolvers<true>();
    const action: BulkAction = {
      actionId: newId('ba_'),
      kind: 'cancel',
      state: 'IN_PROGRESS',
      total: ids.length,
      processed: 0,
      createdAt: Date.now(),
      filter,
    };
    const process = (id: string) => {
      cancel(id);
      action.processed += 1;
    };
    const finish = () => {
      this.#running.delete(key);
      Object.assign(action, { state: 'FINISHED', completedAt: Date.now() });
      resolve(true);
    };
    const entry = { action, until: now + keptMs, finished };
    this.#byId.set(action.actionId, entry);
    this.#running.set(key, entry);
    const { bulkCancelMs: ms } = plan;
    if (ms === 0) ids.forEach(process);
    else ids.forEach((id, n) => clock.after((ms * (n + 1)) / (ids.length + 1), () => process(id)));
    if (ms === 0) finish();
    else clock.after(ms, finish);
    return action;
  }

  /** Whether the action finishes within the patience that the plan has for a request. */
  async finishes({ actionId }: BulkAction): Promise<boolean> {
    const { clock, plan } = this.#parts;
    const { promise: patience, resolve } = Promise.withResolvers<false>();
    const alarm = clock.after(plan.bulkCancelPatienceMs, () => resolve(false));
    const finished = await Promise.race([this.#byId.get(actionId)?.finished ?? true, patience]);
    clock.cancel(alarm);
    return finished;
  }
}
