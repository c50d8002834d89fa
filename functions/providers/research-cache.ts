import { sha256 } from '../shared/hash.ts';
import type { SharedRedis } from './shared-redis.ts';

/** Changes when summaries change: older ones are then not found any more. */
const version = 1;
const keptSeconds = 86_400;
const claimMs = 30_000;

/** Summary: somebody has searched. `ours`: this invocation is to search. `theirs`: another one is at it. */
export type Found = { summary: string } | 'ours' | 'theirs';

/**
 * Each key holds `v` and a summary, or `c` and the name of whoever searches. A key that is free is
 * claimed on the spot.
 */
const claimScript = `
local found = {}
for i, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if not value then redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
  found[i] = value or ARGV[1]
end
return found`;

/** Stores what has a summary; gives up the claim on what has none, if it is still ours. */
const settleScript = `
for i, key in ipairs(KEYS) do
  local value = ARGV[i + 2]
  if value ~= '' then
    redis.call('SET', key, value, 'EX', ARGV[2])
  elseif redis.call('GET', key) == ARGV[1] then
    redis.call('DEL', key)
  end
end
return 1`;

/** Queries that differ in letter case and blanks alone are one. */
export const queryName = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();

export type ResearchCache = {
  /** By query name; one call. Undefined: Redis does not answer. */
  claim: (names: string[]) => Promise<Found[] | undefined>;
  /** One call: a summary is kept for a day, `undefined` gives up our claim. Never throws. */
  settle: (summaries: ReadonlyMap<string, string | undefined>) => Promise<void>;
};

/**
 * `owner` names who claims: the same chunk delivered again, after an invocation that was killed, finds its
 * claims its own and does not wait for them to lapse.
 */
export function createResearchCache(shared: SharedRedis, owner: string): ResearchCache {
  const token = `c${owner}`;
  // What stands in a cell cannot be read from a key.
  const keysOf = (names: Iterable<string>): Promise<string[]> =>
    Promise.all(
      [...names].map(async (name) => `rowloom:research:${version}:${await sha256(name)}`),
    );
  const read = (value: string): Found => {
    if (value === token) return 'ours';
    return value.startsWith('v') ? { summary: value.slice(1) } : 'theirs';
  };
  return {
    claim: async (names) => {
      if (names.length === 0) return [];
      const keys = await keysOf(names);
      const values = await shared.ask((redis) =>
        redis.eval<(string | number)[], string[]>(claimScript, keys, [token, claimMs]),
      );
      return values?.map(read);
    },
    settle: async (summaries) => {
      if (summaries.size === 0) return;
      const keys = await keysOf(summaries.keys());
      const values = [...summaries.values()].map((text) => (text === undefined ? '' : `v${text}`));
      await shared.ask((redis) => redis.eval(settleScript, keys, [token, keptSeconds, ...values]));
    },
  };
}
