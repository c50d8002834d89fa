import { Refusal } from './problem.ts';

/** A cron expression of five fields, in UTC: each field as the set of values that it admits. */
export type Cron = {
  source: string;
  minute: Set<number>;
  hour: Set<number>;
  day: Set<number>;
  month: Set<number>;
  weekday: Set<number>;
  /** A day given by both its date and its weekday fires on either. */
  eitherDay: boolean;
};

const names = {
  month: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' '),
  weekday: 'sun mon tue wed thu fri sat'.split(' '),
};
const minuteMs = 60_000;
const dayMs = 86_400_000;
const horizonDays = 366 * 8;

const refuse = (source: string) => new Refusal(400, `invalid cron expression: ${source}`);

function numberOf(text: string, list: string[], offset: number): number {
  const named = list.indexOf(text.toLowerCase());
  if (named >= 0) return named + offset;
  return /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
}

function field(text: string, low: number, high: number, list: string[] = []): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', stepText, ...rest] = part.split('/');
    const step = stepText === undefined ? 1 : numberOf(stepText, [], 0);
    const [fromText = '', toText, ...more] = range.split('-');
    const any = range === '*' || range === '?';
    const from = any ? low : numberOf(fromText, list, low);
    const open = any || (toText === undefined && stepText !== undefined);
    const to = toText === undefined ? (open ? high : from) : numberOf(toText, list, low);
    const sound = from >= low && to <= high && from <= to && step >= 1;
    if (!sound || rest.length > 0 || more.length > 0) throw new RangeError(part);
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return values;
}

/** Parses `m h dom mon dow`; time zones, `@daily` and the like are not offered here (400). */
export function parseCron(text: string): Cron {
  const source = text.trim();
  const parts = source.split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = parts;
  if (parts.length !== 5) throw refuse(source);
  const star = (value: string) => value.startsWith('*') || value.startsWith('?');
  try {
    return {
      source,
      minute: field(minute, 0, 59),
      hour: field(hour, 0, 23),
      day: field(day, 1, 31),
      month: field(month, 1, 12, names.month),
      weekday: field(weekday, 0, 6, names.weekday),
      eitherDay: !star(day) && !star(weekday),
    };
  } catch {
    throw refuse(source);
  }
}

function firesOn(cron: Cron, date: Date): boolean {
  if (!cron.month.has(date.getUTCMonth() + 1)) return false;
  const byDate = cron.day.has(date.getUTCDate());
  const byWeekday = cron.weekday.has(date.getUTCDay());
  return cron.eitherDay ? byDate || byWeekday : byDate && byWeekday;
}

/** The first firing strictly after `after` (Unix ms); a cron that never fires is a 400. */
export function nextFiring(cron: Cron, after: number): number {
  const start = Math.floor(after / minuteMs) * minuteMs + minuteMs;
  for (let day = 0; day < horizonDays; day += 1) {
    const midnight = Math.floor(start / dayMs) * dayMs + day * dayMs;
    if (!firesOn(cron, new Date(midnight))) continue;
    for (let hour = 0; hour < 24; hour += 1) {
      if (!cron.hour.has(hour)) continue;
      for (const minute of [...cron.minute].toSorted((a, b) => a - b)) {
        const time = midnight + hour * 3_600_000 + minute * minuteMs;
        if (time >= start) return time;
      }
    }
  }
  throw refuse(cron.source);
}
