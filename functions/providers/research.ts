import { pause, type Deadline } from './deadline.ts';
import { type EntryName, entryName, type ResearchCache, type Shared } from './research-cache.ts';

/** One search of the web. */
export type Research = {
  text: string;
  /** Who may share what is found: all users, of what is surely a company; the user's own rows; a person's nobody. */
  scope: Shared | 'none';
};

/** What a search has found: a summary in a few lines, and the addresses of what it is from; both may be empty. */
export type Findings = { summary: string; sources: string[] };

export const noFindings: Findings = { summary: '', sources: [] };

/** Findings are stored together that come within this time: each call is one of the six connections. */
const keepWithinMs = 250;

/** After these a row looks for a search that another chunk is at, before it makes its own. */
const looksMs = [500, 1000, 2000];

export type ResearchOptions = {
  cache: ResearchCache;
  deadline: Deadline;
  now: () => number;
  search: (text: string) => Promise<Findings>;
};

type Answer = { findings: Findings; isPaid: boolean };

/**
 * The searches of one chunk. Rows that ask the same share one search, and through the cache so do chunks:
 * a search is claimed when it begins, and others wait for it a moment. `prepare` asks the cache for the
 * whole chunk; without it, or without Redis, only the rows of the chunk share.
 */
export function createResearch({ cache, deadline, now, search }: ResearchOptions) {
  const answers = new Map<EntryName, Promise<Answer>>();
  const counts = { searches: 0, cached: 0 };
  let shared = new Set<EntryName>();
  let known = new Map<EntryName, Findings>();

  const claim = inBatches(cache.claim);
  const keeper = createKeeper(cache);

  /** Undefined: it is for this invocation to search. */
  const foundByAnother = async (name: EntryName): Promise<Findings | undefined> => {
    for (let looks = 0; ; looks += 1) {
      const found = await claim(name);
      if (typeof found === 'object') return found;
      const waitMs = looksMs[looks];
      if (found !== 'theirs' || waitMs === undefined) return undefined;
      if (now() + waitMs > deadline.startUntil) return undefined;
      await pause(waitMs, deadline.signal);
    }
  };
  const answer = async (name: EntryName, text: string): Promise<Answer> => {
    if (!shared.has(name)) return { findings: await search(text), isPaid: true };
    const found = known.get(name) ?? (await foundByAnother(name));
    if (found) return { findings: found, isPaid: false };
    const findings = await search(text);
    keeper.keep(name, findings);
    return { findings, isPaid: true };
  };

  return {
    prepare: async (queries: Research[]): Promise<void> => {
      shared = new Set(queries.flatMap((query) => sharedName(query) ?? []));
      known = await cache.read([...shared]);
    },
    /** Throws what `search` throws, or `RowPostponed`: the same to all rows that share the search. */
    search: async (query: Research): Promise<Findings> => {
      const name = sharedName(query);
      if (!name) {
        // Two people of one name are two people.
        const findings = await search(query.text);
        counts.searches += 1;
        return findings;
      }
      const begun = answers.get(name);
      const promise = begun ?? answer(name, query.text);
      answers.set(name, promise);
      const { findings, isPaid } = await promise;
      counts[isPaid && !begun ? 'searches' : 'cached'] += 1;
      return findings;
    },
    /** Stores what is not stored yet. Never throws. */
    finish: keeper.flush,
    /** Takes back what was stored: the job is no more. Never throws. */
    takeBack: async (): Promise<void> => {
      await keeper.flush();
      await cache.takeBack();
    },
    /** Rows that were answered by a search of their own, and those by one that was made already. */
    counts: (): { searches: number; cached: number } => ({ ...counts }),
  };
}

const sharedName = ({ text, scope }: Research): EntryName | undefined =>
  scope === 'none' ? undefined : entryName(text, scope);

/** Stores findings in the background, a few at once. Never throws. */
function createKeeper(cache: ResearchCache) {
  let unkept = new Map<EntryName, Findings>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let keeping = Promise.resolve();
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    const found = unkept;
    [unkept, timer] = [new Map(), undefined];
    keeping = keeping.then(() => cache.keep(found));
    return keeping;
  };
  return {
    keep: (name: EntryName, findings: Findings): void => {
      unkept.set(name, findings);
      timer ??= setTimeout(() => void flush(), keepWithinMs);
    },
    flush,
  };
}

/** One call for all that are asked for at once. */
function inBatches<N, T>(call: (names: N[]) => Promise<Map<N, T>>) {
  let batch: N[] = [];
  let answers: Promise<Map<N, T>> | undefined;
  return async (name: N): Promise<T | undefined> => {
    batch.push(name);
    answers ??= new Promise((resolve) => setTimeout(resolve, 0)).then(() => {
      const names = batch;
      [batch, answers] = [[], undefined];
      return call(names);
    });
    return (await answers).get(name);
  };
}
