type Cronned = { crons: string[]; scheduled: (cron: string) => Promise<void> };

function fieldMatches(field: string, value: number, least: number): boolean {
  return field.split(',').some((part) => {
    const [range = '*', step = '1'] = part.split('/');
    const [from = '*', to = part.includes('/') ? '*' : from] = range.split('-');
    const low = from === '*' ? least : Number(from);
    const high = to === '*' ? Number.POSITIVE_INFINITY : Number(to);
    return value >= low && value <= high && (value - low) % Number(step) === 0;
  });
}

/** Whether a cron expression (five numeric fields, UTC, as in wrangler.toml) means this minute. */
export function cronMatches(cron: string, at: Date): boolean {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = cron.trim().split(/\s+/);
  return (
    fieldMatches(minute, at.getUTCMinutes(), 0) &&
    fieldMatches(hour, at.getUTCHours(), 0) &&
    fieldMatches(day, at.getUTCDate(), 1) &&
    fieldMatches(month, at.getUTCMonth() + 1, 1) &&
    // Cloudflare counts Sunday as 1.
    fieldMatches(weekday, at.getUTCDay() + 1, 1)
  );
}

/** Fires the Worker's cron triggers at the start of every minute. Gives the function that stops it. */
export function fireCrons(worker: Cronned, onError: (error: unknown) => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    timer = setTimeout(tick, 60_000 - (Date.now() % 60_000) + 5);
  };
  const tick = (): void => {
    const now = new Date();
    for (const cron of worker.crons)
      if (cronMatches(cron, now)) worker.scheduled(cron).catch(onError);
    arm();
  };
  arm();
  return () => clearTimeout(timer);
}
