import { sha256 } from '../shared/hash.ts';
import type { SharedRedis } from './shared-redis.ts';

/** Changes when summaries change: older ones are then not found any more. */
const version = 2;
const keptSeconds = 86_400;
/** Longer than a search takes. A claim is never given up: whoever waits for it searches in the end. */
const claimMs = 10_000;

/** In front of a summary, so that Redis' client takes none for JSON; a claim has another. */
const mark = 'v';
const claimed = 'c';

/** Queries that differ in letter case and blanks alone are one. */
export const queryName = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();

/** Summary: somebody has searched. `ours`: nobody has, and nobody else will now. `theirs`: another is at it. */
export type Found = { summary: string } | 'ours' | 'theirs';

/** Summaries by query name, for a day. Nothing here throws. */
export type ResearchCache = {
  /** What is known of these; one command, empty without Redis. */
  read: (names: string[]) => Promise<Map<string, string>>;
  /** Claims what nobody has searched for; one call, all `ours` without Redis. */
  claim: (names: string[]) => Promise<Map<string, Found>>;
  /** Stores summaries by query name; one call. */
  keep: (summaries: ReadonlyMap<string, string>) => Promise<void>;
};

const summaryIn = (value: string | null | undefined): string | undefined =>
  value?.startsWith(mark) ? value.slice(mark.length) : undefined;

export function createResearchCache(shared: SharedRedis): ResearchCache {
  // What stands in a cell cannot be read from a key.
  const keyOf = async (name: string) => `rowloom:research:${version}:${await sha256(name)}`;
  const keysOf = (names: string[]) => Promise.all(names.map(keyOf));
  return {
    read: async (names) => {
      if (names.length === 0) return new Map();
      const keys = await keysOf(names);
      const values = await shared.ask((redis) => redis.mget<(string | null)[]>(keys));
      return new Map(
        names.flatMap((name, i) => {
          const summary = summaryIn(values?.[i]);
          return summary === undefined ? [] : [[name, summary] as const];
        }),
      );
    },
    claim: async (names) => {
      const keys = await keysOf(names);
      const answer = await shared.ask((redis) => {
        const commands = redis.pipeline();
        for (const key of keys) commands.set(key, claimed, { nx: true, px: claimMs });
        return commands.mget(keys).exec<[...('OK' | null)[], (string | null)[]]>();
      });
      const values = answer?.at(-1) ?? [];
      const foundAt = (i: number): Found => {
        const summary = summaryIn(values[i]);
        if (summary !== undefined) return { summary };
        return answer && answer[i] === null ? 'theirs' : 'ours';
      };
      return new Map(names.map((name, i) => [name, foundAt(i)]));
    },
    keep: async (summaries) => {
      if (summaries.size === 0) return;
      const keys = await keysOf([...summaries.keys()]);
      await shared.ask((redis) => {
        const commands = redis.pipeline();
        for (const [i, summary] of [...summaries.values()].entries())
          commands.set(keys[i] ?? '', mark + summary, { ex: keptSeconds });
        return commands.exec();
      });
    },
  };
}
