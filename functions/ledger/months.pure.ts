/** The same day so many months later, or the month's last; times are unix seconds, UTC. */
export function addMonths(anchor: number, months: number): number {
  const from = new Date(anchor * 1000);
  const month = from.getUTCMonth() + months;
  const lastDay = new Date(Date.UTC(from.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(from.getUTCDate(), lastDay);
  const timeOfDay =
    anchor * 1000 - Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), from.getUTCDate());
  return (Date.UTC(from.getUTCFullYear(), month, day) + timeOfDay) / 1000;
}

/** How many months begin from `anchor` on before `end`. */
export function monthsUntil(anchor: number, end: number): number {
  let months = 0;
  while (addMonths(anchor, months) < end) months += 1;
  return months;
}

/** The month that runs at a moment: 0 from the anchor on. */
export const monthAt = (anchor: number, moment: number): number =>
  Math.max(0, monthsUntil(anchor, moment + 1) - 1);
