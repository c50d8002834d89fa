/** How the providers behave; every field can be changed while they run. */
export type Settings = {
  /** Wait before a search is answered, in milliseconds. */
  searchLatencyMs: number;
  /** Wait before the first byte of a completion. */
  llmFirstByteMs: number;
  /** Time over which a streamed completion is spread, after its first byte. */
  llmStreamMs: number;
  /** Share of requests that fail, 0–1. */
  failureRate: number;
  /** Same seed, same requests: same failures. */
  seed: number;
  /** Requests per second before 429; null: no limit. */
  searchRatePerSecond: number | null;
  llmRatePerSecond: number | null;
};

/** A change of settings; `latencyMs` sets the search latency and the completion's first byte. */
export type SettingsChange = { [key in keyof Settings]?: Settings[key] | undefined } & {
  latencyMs?: number | undefined;
};

export const defaultSettings: Settings = {
  searchLatencyMs: 300,
  llmFirstByteMs: 300,
  llmStreamMs: 100,
  failureRate: 0,
  seed: 1,
  searchRatePerSecond: null,
  llmRatePerSecond: null,
};

const MAX_MS = 600_000;
const isMs = (value: unknown) => typeof value === 'number' && value >= 0 && value <= MAX_MS;
const isRate = (value: unknown) => value === null || (typeof value === 'number' && value > 0);

const rules: Record<keyof Settings | 'latencyMs', [(value: unknown) => boolean, string]> = {
  searchLatencyMs: [isMs, `a number of milliseconds, 0–${MAX_MS}`],
  llmFirstByteMs: [isMs, `a number of milliseconds, 0–${MAX_MS}`],
  llmStreamMs: [isMs, `a number of milliseconds, 0–${MAX_MS}`],
  latencyMs: [isMs, `a number of milliseconds, 0–${MAX_MS}`],
  failureRate: [(v) => typeof v === 'number' && v >= 0 && v <= 1, 'a number between 0 and 1'],
  seed: [(v) => Number.isSafeInteger(v), 'an integer'],
  searchRatePerSecond: [isRate, 'a positive number, or null for no limit'],
  llmRatePerSecond: [isRate, 'a positive number, or null for no limit'],
};

/** The settings after a change; throws `TypeError` with a sentence when the change is malformed. */
export function changed(settings: Settings, change: unknown): Settings {
  if (typeof change !== 'object' || change === null || Array.isArray(change))
    throw new TypeError('settings must be an object');
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  for (const [key, value] of given) {
    const rule = Object.hasOwn(rules, key) ? rules[key as keyof typeof rules] : undefined;
    if (!rule) throw new TypeError(`unknown setting "${key}"`);
    if (!rule[0](value)) throw new TypeError(`${key} must be ${rule[1]}`);
  }
  const { latencyMs, ...rest } = Object.fromEntries(given) as Partial<
    Settings & { latencyMs: number }
  >;
  const both =
    latencyMs === undefined ? {} : { searchLatencyMs: latencyMs, llmFirstByteMs: latencyMs };
  return { ...settings, ...both, ...rest };
}
