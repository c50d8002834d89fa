import type { Alarm } from './clock.ts';
import { nextFiring, type Cron } from './cron.ts';
import type { Engine } from './engine.ts';
import { type Draft, maxRetriesOf, shownSettings } from './message.ts';

/** A schedule; times are Unix ms as the cron means them, whatever the time scale. */
export type Schedule = {
  id: string;
  cron: Cron;
  draft: Draft;
  createdAt: number;
  paused: boolean;
  nextTime: number;
  lastTime?: number;
  alarm?: Alarm;
};

/** The schedules, each with one alarm on the engine's clock. */
export class Schedules {
  #engine: Engine;
  #byId = new Map<string, Schedule>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  list(): Schedule[] {
    return [...this.#byId.values()];
  }

  get(id: string): Schedule | undefined {
    return this.#byId.get(id);
  }

  /** Creates a schedule or replaces the one of this id; its first firing counts from now. */
  put(id: string, cron: Cron, draft: Draft): Schedule {
    const now = Date.now();
    const createdAt = this.#byId.get(id)?.createdAt ?? now;
    const nextTime = nextFiring(cron, now);
    this.delete(id);
    const schedule: Schedule = {
      id,
      cron,
      draft: { ...draft, scheduleId: id },
      createdAt,
      paused: false,
      nextTime,
    };
    this.#byId.set(id, schedule);
    this.#arm(schedule, this.#engine.clock.now() + nextTime - now);
    return schedule;
  }

  delete(id: string): boolean {
    this.#engine.clock.cancel(this.#byId.get(id)?.alarm);
    return this.#byId.delete(id);
  }

  // `due` is carried on from firing to firing, so that lateness does not add up.
  #arm(schedule: Schedule, due: number): void {
    schedule.alarm = this.#engine.clock.at(due, () => {
      const fired = schedule.nextTime;
      schedule.nextTime = nextFiring(schedule.cron, fired);
      this.#arm(schedule, due + schedule.nextTime - fired);
      if (schedule.paused) return;
      schedule.lastTime = fired;
      this.#engine.create(schedule.draft);
    });
  }
}

/** A schedule as `GET /v2/schedules/{id}` answers it (the OpenAPI document's `Schedule`). */
export function scheduleView(schedule: Schedule) {
  const { draft } = schedule;
  const { delayMs } = draft.settings;
  return {
    scheduleId: schedule.id,
    cron: schedule.cron.source,
    destination: draft.url,
    createdAt: schedule.createdAt,
    ...shownSettings(draft.settings, draft.body),
    retries: maxRetriesOf({ settings: draft.settings }),
    delay: delayMs && delayMs / 1_000,
    callerIp: draft.callerIp,
    isPaused: schedule.paused,
    lastScheduleTime: schedule.lastTime,
    nextScheduleTime: schedule.nextTime,
  };
}
