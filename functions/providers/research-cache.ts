import { sha256 } from '../shared/hash.ts';
import type { Findings } from './research.ts';
import type { SharedRedis } from './shared-redis.ts';

/** Changes when findings or their form do: older ones are then not found any more. */
const version = 4;
const keptSeconds = 86_400;
/** Longer than what any of its searches leave behind. */
const listedSeconds = keptSeconds + 7200;
/** Longer than a search takes. A claim is never given up: whoever waits for it searches in the end. */
const claimMs = 10_000;

/** In front of an owner and findings, so that Redis' client takes none for JSON; a claim has another. */
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

/** Findings: somebody has searched. `ours`: nobody has, and nobody else will now. `theirs`: another is at it. */
export type Found = Findings | 'ours' | 'theirs';

/** Findings by entry, for a day. Nothing here throws. */
export type ResearchCache = {
  /** What is known of these, which the job's list has from now on; one call, empty without Redis. */
  read: (names: EntryName[]) => Promise<Map<EntryName, Findings>>;
  /** Claims what nobody has searched for; one call, all `ours` without Redis. */
  claim: (names: EntryName[]) => Promise<Map<EntryName, Found>>;
  /** Stores findings by entry; one call. */
  keep: (found: ReadonlyMap<EntryName, Findings>) => Promise<void>;
  /** Takes back what was kept here and nobody else has asked for: the job is no more. */
  takeBack: () => Promise<void>;
};

export type JobOfUser = { userId: string; jobId: string };

const keyOf = (entry: string): string => `rowloom:research:${version}:${entry}`;
const listOf = (jobId: string): string => `rowloom:research:${version}:job:${jobId}`;

const ownerOf = async (userId: string): Promise<string> =>
  (await sha256(`owner ${userId}`)).slice(0, ownerLength);

/** The sources, one a line, then an empty line and the summary. */
const textOf = ({ summary, sources }: Findings): string => `${sources.join('\n')}\n\n${summary}`;

function findingsOf(text: string): Findings {
  const end = text.indexOf('\n\n');
  const sources = text.slice(0, end).split('\n').filter(Boolean);
  return { summary: text.slice(end + 2), sources };
}

type Stored = { owner: string; text: string };

const storedIn = (value: string | null | undefined): Stored | undefined =>
  value?.startsWith(mark)
    ? { owner: value.slice(1, ownerLength + 1), text: value.slice(ownerLength + 1) }
    : undefined;

export function createResearchCache(shared: SharedRedis, of: JobOfUser): ResearchCache {
  const kept = new Set<string>();

  // What stands in a cell cannot be read from a key, and no user reaches what is another's.
  const entryOf = async (name: EntryName): Promise<string> =>
    name.startsWith('company')
      ? `c:${await sha256(name)}`
      : `u:${await sha256(`${of.userId} ${name}`)}`;
  const entriesOf = (names: EntryName[]) => Promise.all(names.map(entryOf));

  /** The findings in `values`; what another user alone had asked for is from now on everybody's. */
  const taken = async (entries: string[], values: readonly (string | null)[]) => {
    const owner = await ownerOf(of.userId);
    const found = entries.map((_, i) => storedIn(values[i]));
    const others = found.flatMap((one, i) =>
      one && ![owner, everybody].includes(one.owner)
        ? [{ key: keyOf(entries[i] ?? ''), value: mark + everybody + one.text }]
        : [],
    );
    if (others.length > 0)
      await shared.ask((redis) => {
        const commands = redis.pipeline();
        // What was deleted meanwhile stays so.
        for (const { key, value } of others) commands.set(key, value, { xx: true, keepTtl: true });
        return commands.exec();
      });
    return found.map((one) => one && findingsOf(one.text));
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
      const found = await taken(entries, answer?.[0] ?? []);
      return new Map(
        names.flatMap((name, i) => {
          const findings = found[i];
          return findings ? [[name, findings] as const] : [];
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
      const found = await taken(entries, Array.isArray(values) ? values : []);
      const foundAt = (i: number): Found =>
        found[i] ?? (answer && answer[i] === null ? 'theirs' : 'ours');
      return new Map(names.map((name, i) => [name, foundAt(i)]));
    },
    keep: async (found) => {
      if (found.size === 0) return;
      const owner = await ownerOf(of.userId);
      const entries = await entriesOf([...found.keys()]);
      await shared.ask((redis) => {
        const commands = redis.pipeline();
        for (const [i, findings] of [...found.values()].entries())
          commands.set(keyOf(entries[i] ?? ''), mark + owner + textOf(findings), {
            ex: keptSeconds,
          });
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
