import { sha256 } from '../shared/hash.ts';
import type { SharedRedis } from './shared-redis.ts';

/** Changes when summaries change: older ones are then not found any more. */
const version = 3;
const keptSeconds = 86_400;
/** Longer than what any of its searches leave behind. */
const listedSeconds = keptSeconds + 7200;
/** Longer than a search takes. A claim is never given up: whoever waits for it searches in the end. */
const claimMs = 10_000;

/** In front of an owner and a summary, so that Redis' client takes none for JSON; a claim has another. */
const mark = 'v';
const claimed = 'c';
const ownerLength = 16;
/** In an owner's place: more than one user has asked. */
const everybody = '-'.repeat(ownerLength);

/** Entries that one command asks for when a job is deleted. */
const pageEntries = 200;

/** Whose search it is: everybody's of a company; the user's own. */
export type Shared = 'company' | 'user';
/** What was searched for, and who shares it: a name in the cache. */
export type EntryName = `${Shared} ${string}`;

/** Queries that differ in letter case and blanks alone are one. */
export const queryName = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();

export const entryName = (text: string, shared: Shared): EntryName =>
  `${shared} ${queryName(text)}`;

/** Summary: somebody has searched. `ours`: nobody has, and nobody else will now. `theirs`: another is at it. */
export type Found = { summary: string } | 'ours' | 'theirs';

/** Summaries by entry, for a day. Nothing here throws. */
export type ResearchCache = {
  /** What is known of these, which the job's list has from now on; one call, empty without Redis. */
  read: (names: EntryName[]) => Promise<Map<EntryName, string>>;
  /** Claims what nobody has searched for; one call, all `ours` without Redis. */
  claim: (names: EntryName[]) => Promise<Map<EntryName, Found>>;
  /** Stores summaries by entry; one call. */
  keep: (summaries: ReadonlyMap<EntryName, string>) => Promise<void>;
  /** Takes back what was kept here and nobody else has asked for: the job is no more. */
  takeBack: () => Promise<void>;
};

export type JobOfUser = { userId: string; jobId: string };

const keyOf = (entry: string): string => `rowloom:research:${version}:${entry}`;
const listOf = (jobId: string): string => `rowloom:research:${version}:job:${jobId}`;

const ownerOf = async (userId: string): Promise<string> =>
  (await sha256(`owner ${userId}`)).slice(0, ownerLength);

type Stored = { owner: string; summary: string };

const storedIn = (value: string | null | undefined): Stored | undefined =>
  value?.startsWith(mark)
    ? { owner: value.slice(1, ownerLength + 1), summary: value.slice(ownerLength + 1) }
    : undefined;

export function createResearchCache(shared: SharedRedis, of: JobOfUser): ResearchCache {
  const kept = new Set<string>();

  // What stands in a cell cannot be read from a key, and no user reaches what is another's.
  const entryOf = async (name: EntryName): Promise<string> =>
    name.startsWith('company')
      ? `c:${await sha256(name)}`
      : `u:${await sha256(`${of.userId} ${name}`)}`;
  const entriesOf = (names: EntryName[]) => Promise.all(names.map(entryOf));

  /** The summaries in `values`; what another user alone had asked for is from now on everybody's. */
  const taken = async (entries: string[], values: readonly (string | null)[]) => {
    const owner = await ownerOf(of.userId);
    const found = entries.map((_, i) => storedIn(values[i]));
    const others = found.flatMap((one, i) =>
      one && ![owner, everybody].includes(one.owner)
        ? [{ key: keyOf(entries[i] ?? ''), value: mark + everybody + one.summary }]
        : [],
    );
    if (others.length > 0)
      await shared.ask((redis) => {
        const commands = redis.pipeline();
        // What was deleted meanwhile stays so.
        for (const { key, value } of others) commands.set(key, value, { xx: true, keepTtl: true });
        return commands.exec();
      });
    return found.map((one) => one?.summary);
  };

  return {
    read: async (names) => {
      if (names.length === 0) return new Map();
      const entries = await entriesOf(names);
      const [first = '', ...others] = entries;
      const answer = await shared.ask((redis) =>
        redis
          .pipeline()
          .mget(entries.map(keyOf))
          .sadd(listOf(of.jobId), first, ...others)
          .expire(listOf(of.jobId), listedSeconds)
          .exec<[(string | null)[], number, number]>(),
      );
      const summaries = await taken(entries, answer?.[0] ?? []);
      return new Map(
        names.flatMap((name, i) => {
          const summary = summaries[i];
          return summary === undefined ? [] : [[name, summary] as const];
        }),
      );
    },
    claim: async (names) => {
      const entries = await entriesOf(names);
      const keys = entries.map(keyOf);
      const answer = await shared.ask((redis) => {
        const commands = redis.pipeline();
        for (const key of keys) commands.set(key, claimed, { nx: true, px: claimMs });
        return commands.mget(keys).exec<[...('OK' | null)[], (string | null)[]]>();
      });
      const values = answer?.at(-1);
      const summaries = await taken(entries, Array.isArray(values) ? values : []);
      const foundAt = (i: number): Found => {
        const summary = summaries[i];
        if (summary !== undefined) return { summary };
        return answer && answer[i] === null ? 'theirs' : 'ours';
      };
      return new Map(names.map((name, i) => [name, foundAt(i)]));
    },
    keep: async (summaries) => {
      if (summaries.size === 0) return;
      const owner = await ownerOf(of.userId);
      const entries = await entriesOf([...summaries.keys()]);
      await shared.ask((redis) => {
        const commands = redis.pipeline();
        for (const [i, summary] of [...summaries.values()].entries())
          commands.set(keyOf(entries[i] ?? ''), mark + owner + summary, { ex: keptSeconds });
        return commands.exec();
      });
      for (const entry of entries) kept.add(entry);
    },
    takeBack: async () => {
      const entries = [...kept];
      kept.clear();
      await forgetEntries(shared, of.userId, entries);
    },
  };
}

/** Deletes those of the entries that nobody but this user has asked for. */
async function forgetEntries(
  shared: SharedRedis,
  userId: string,
  entries: readonly string[],
): Promise<void> {
  if (entries.length === 0) return;
  const owner = await ownerOf(userId);
  const keys = entries.map(keyOf);
  const values = await shared.ask((redis) => redis.mget<(string | null)[]>(keys));
  const own = keys.filter((_, i) => storedIn(values?.[i])?.owner === owner);
  if (own.length > 0) await shared.ask((redis) => redis.del(...own));
}

/**
 * Forgets what was found for a job's rows and nobody but its user has asked for since; commands for 200
 * entries at once, until `signal` ends it. Without Redis, or what is left: gone within a day. Never throws.
 */
export async function forgetResearch(
  shared: SharedRedis,
  { userId, jobId }: JobOfUser,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const entries = await shared.ask((redis) => redis.spop<string[]>(listOf(jobId), pageEntries));
    if (!entries || entries.length === 0) return;
    await forgetEntries(shared, userId, entries);
  }
}
