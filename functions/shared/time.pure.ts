/** Postgres' time as ISO 8601 in UTC. */
export const isoTime = (value: string | Date): string => new Date(value).toISOString();

export const isoOrNull = (value: string | Date | null): string | null =>
  value === null ? null : isoTime(value);

/** Microseconds since 1970 as ISO 8601 in UTC. */
export const isoOfUs = (us: number): string => new Date(Math.floor(us / 1000)).toISOString();

/** Milliseconds since 1970 as ISO 8601 in UTC, null where none are given. */
export const isoOfMs = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString();
