import type { Provider } from './request-stats.ts';
import type { Scripted } from './settings.ts';

/** Words in a query or prompt that order a failure in every run, without a setting. */
const words: Scripted[] = [
  { provider: 'search', match: 'FAIL_SEARCH', kind: 'error' },
  { provider: 'llm', match: 'RATE_LLM', kind: 'rate-limit' },
  { provider: 'llm', match: 'SLOW_LLM', kind: 'hang' },
  { provider: 'llm', match: 'FAIL_LLM', kind: 'error' },
  { provider: 'llm', match: 'CUT_LLM', kind: 'cut' },
];

const withPattern = (entry: Scripted) => ({
  entry,
  pattern: entry.match === undefined ? undefined : new RegExp(entry.match, 'u'),
});

/** Chooses what is played for a call: by time, words and how often it was played. */
export class Script {
  #entries = words.map(withPattern);
  #sinceMs = 0;
  #played = new Map<Scripted, number>();

  /** Takes a script; its seconds count from now. Throws `SyntaxError` for a malformed `match`. */
  start(entries: Scripted[]): void {
    this.#entries = [...entries, ...words].map(withPattern);
    this.#sinceMs = performance.now();
    this.#played.clear();
  }

  /** The first entry that meets a call of this provider which says these words. */
  next(provider: Provider, said: string): Scripted | undefined {
    const second = (performance.now() - this.#sinceMs) / 1000;
    const met = this.#entries.find(
      ({ entry, pattern }) =>
        (entry.provider ?? provider) === provider &&
        second >= (entry.fromSeconds ?? 0) &&
        second < (entry.toSeconds ?? Infinity) &&
        (this.#played.get(entry) ?? 0) < (entry.times ?? Infinity) &&
        (pattern?.test(said) ?? true),
    )?.entry;
    if (met) this.#played.set(met, (this.#played.get(met) ?? 0) + 1);
    return met;
  }
}
