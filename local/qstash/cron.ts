import { Refusal } from './problem.ts';

/**
 * A cron expression of five fields, in UTC: each field as the values that it admits. A day given by
 * both its date and its weekday fires on either.
 */
export type Cron = { source: string; admits: Set<number>[]; eitherDay: boolean };

type Bounds = { low: number; high: number; names?: string[] };

const bounds: Bounds[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ') },
  { low: 0, high: 6, names: 'sun mon tue wed thu fri sat'.split(' ') },
];
const minuteMs = 60_000;
const dayMs = 86_400_000;
const horizonDays = 366 * 8;

const refuse = (source: string) => new Refusal(400, `invalid cron expression: ${source}`);

/** The values of one field, or undefined when it is malformed. */
function valuesOf(text: string, { low, high, names = [] }: Bounds): Set<number> | undefined {
  const numberOf = (part: string) => {
    const named = names.indexOf(part.toLowerCase());
    return named < 0 ? Number(part) : named + low;
  };
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^([*?]|\w{1,3})(?:-(\w{1,3}))?(?:\/(\d{1,2}))?$/.exec(part);
    if (!match) return undefined;
    const [, from = '', to, step] = match;
    const any = from === '*' || from === '?';
    const first = any ? low : numberOf(from);
    const open = any || step !== undefined ? high : first;
    const last = to === undefined ? open : numberOf(to);
    if (!(first >= low && first <= last && last <= high) || step === '0') return undefined;
    for (let value = first; value <= last; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

/** Parses `m h dom mon dow`; time zones, `@daily` and the like are not offered here (400). */
export function parseCron(text: string): Cron {
  const source = text.trim();
  const parts = source.split(/\s+/);
  const admits = bounds.flatMap((each, n) => valuesOf(parts[n] ?? '', each) ?? []);
  if (parts.length !== bounds.length || admits.length !== bounds.length) throw refuse(source);
  const restricted = (part = '') => !part.startsWith('*') && !part.startsWith('?');
  return { source, admits, eitherDay: restricted(parts[2]) && restricted(parts[4]) };
}

/** The first firing strictly after `after` (Unix ms); a cron that never fires is a 400. */
export function nextFiring({ source, admits, eitherDay }: Cron, after: number): number {
  const [minute, hour, date, month, weekday] = admits;
  const start = Math.floor(after / minuteMs) * minuteMs + minuteMs;
  const today = Math.floor(start / dayMs) * dayMs;
  for (let midnight = today; midnight < today + horizonDays * dayMs; midnight += dayMs) {
    const day = new Date(midnight);
    const byDate = date?.has(day.getUTCDate());
    const byWeekday = weekday?.has(day.getUTCDay());
    const fires = eitherDay ? byDate || byWeekday : byDate && byWeekday;
    if (!fires || !month?.has(day.getUTCMonth() + 1)) continue;
    for (let time = Math.max(start, midnight); time < midnight + dayMs; time += minuteMs) {
      const at = new Date(time);
      if (hour?.has(at.getUTCHours()) && minute?.has(at.getUTCMinutes())) return time;
    }
  }
  throw refuse(source);
}
