import { pause, type Deadline } from './deadline.ts';
import { RowPostponed } from './errors.pure.ts';
import { queryName, type ResearchCache } from './research-cache.ts';
import { searchTimeoutMs } from './search.ts';

/** One search of the web. */
export type Research = {
  text: string;
  /** About a company or its site: the summary may be kept and shared. A person's is not. */
  cacheable: boolean;
};

const pollMs = 400;
/** Others may wait for a summary: it is stored when all are there, or when one is this old. */
const longestUnsavedMs = 3000;
/** How long a row waits for another invocation's search before it makes its own. */
const longestWaitMs = 10_000;

export type ResearchOptions = {
  cache: ResearchCache;
  deadline: Deadline;
  now: () => number;
  search: (text: string) => Promise<string>;
};

/**
 * The searches of one chunk. Rows that ask the same share one search, and so do invocations, through
 * the cache. `prepare` asks the cache for the whole chunk; without it, or without Redis, only the rows
 * of the chunk share.
 */
export function createResearch(options: ResearchOptions) {
  const { cache, deadline, now, search } = options;
  const answers = new Map<string, Promise<string>>();
  const summaries = new Map<string, string>();
  const claims = createClaims(cache, now);
  const others = createWaiting({ ...options, claims });

  const searchAndKeep = async (name: string, text: string): Promise<string> => {
    try {
      const summary = await search(text);
      claims.settled(name, summary);
      return summary;
    } catch (error) {
      claims.settled(name, undefined);
      throw error;
    }
  };
  const answer = async (name: string, query: Research): Promise<string> => {
    const known = summaries.get(name);
    if (known !== undefined) return known;
    if (!others.has(name)) return searchAndKeep(name, query.text);
    // Two invocations that wait for each other's searches would wait for ever: ours begin first.
    for (const [ours, text] of claims.unbegun()) void begin(ours, { text, cacheable: true });
    const summary = await others.summaryOf(name);
    if (summary !== undefined) return summary;
    if (now() > deadline.startUntil && now() + searchTimeoutMs > deadline.stopAt)
      throw new RowPostponed(1000, true);
    return searchAndKeep(name, query.text);
  };
  const begin = (name: string, query: Research): Promise<string> => {
    const begun = answers.get(name);
    if (begun) return begun;
    claims.begun(name);
    const promise = query.cacheable ? answer(name, query) : search(query.text);
    answers.set(name, promise);
    // Whoever asked hears of a failure; one that nobody asked for yet must not end the invocation.
    promise.catch(() => undefined);
    return promise;
  };

  return {
    prepare: async (queries: Research[]): Promise<void> => {
      const texts = new Map<string, string>();
      for (const { text, cacheable } of queries) if (cacheable) texts.set(queryName(text), text);
      const names = [...texts.keys()];
      const found = (await cache.claim(names)) ?? [];
      for (const [i, name] of names.entries()) {
        const state = found[i];
        if (state === 'ours') claims.add(name, texts.get(name) ?? '');
        else if (state === 'theirs') others.add(name);
        else if (state) summaries.set(name, state.summary);
      }
    },
    /** Throws `ProviderError` or `RowPostponed`, the same to all rows that share the search. */
    search: (query: Research): Promise<string> => begin(nameOf(query), query),
    /** Stores what is not stored yet and gives up what was not searched for. Never throws. */
    finish: (): Promise<void> => claims.finish(),
  };
}

/** A person may be called like a company: the blank in front keeps them apart. */
const nameOf = ({ text, cacheable }: Research): string =>
  `${cacheable ? '' : ' '}${queryName(text)}`;

type Claims = ReturnType<typeof createClaims>;

/** The searches that this invocation has promised to others, and what came of them. */
function createClaims(cache: ResearchCache, now: () => number) {
  const unbegun = new Map<string, string>();
  const open = new Set<string>();
  const unsaved = new Map<string, string | undefined>();
  let oldestAt = 0;
  let saving = Promise.resolve();
  const save = (): Promise<void> => {
    const batch = new Map(unsaved);
    unsaved.clear();
    saving = saving.then(() => cache.settle(batch));
    return saving;
  };
  return {
    add: (name: string, text: string) => {
      unbegun.set(name, text);
      open.add(name);
    },
    /** The claim of another has lapsed, and a row waits to search instead. */
    takenOver: (name: string) => open.add(name),
    begun: (name: string) => unbegun.delete(name),
    unbegun: () => [...unbegun],
    /** `undefined`: the search failed, somebody else may try. */
    settled: (name: string, summary: string | undefined) => {
      open.delete(name);
      if (unsaved.size === 0) oldestAt = now();
      unsaved.set(name, summary);
      if (open.size === 0 || now() - oldestAt >= longestUnsavedMs) void save();
    },
    finish: (): Promise<void> => {
      for (const name of open) unsaved.set(name, undefined);
      open.clear();
      return save();
    },
  };
}

type Waiting = PromiseWithResolvers<string | undefined> & { untilMs: number };

/** What other invocations search for: asked for all together until it is there or time is up. */
function createWaiting(options: ResearchOptions & { claims: Claims }) {
  const { cache, deadline, now, claims } = options;
  const theirs = new Set<string>();
  const waiting = new Map<string, Waiting>();
  let polling = false;

  const give = (name: string, summary: string | undefined) => {
    waiting.get(name)?.resolve(summary);
    waiting.delete(name);
  };
  const pollOnce = async (): Promise<void> => {
    for (const [name, { untilMs }] of waiting) if (now() + pollMs > untilMs) give(name, undefined);
    if (waiting.size === 0) return;
    await pause(pollMs * (0.75 + Math.random() / 2), deadline.signal);
    const names = [...waiting.keys()];
    const found = await cache.claim(names);
    for (const [i, name] of names.entries()) {
      const state = found?.[i];
      if (state === 'theirs') continue;
      if (state === 'ours') claims.takenOver(name);
      give(name, typeof state === 'object' ? state.summary : undefined);
    }
  };
  const poll = async (): Promise<void> => {
    if (polling) return;
    polling = true;
    try {
      while (waiting.size > 0) await pollOnce();
    } catch (error) {
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    } finally {
      polling = false;
    }
  };
  return {
    add: (name: string) => theirs.add(name),
    has: (name: string) => theirs.has(name),
    /** Undefined: nobody has found it, or nobody can tell; search. */
    summaryOf: (name: string): Promise<string | undefined> => {
      const one = Promise.withResolvers<string | undefined>();
      const untilMs = Math.min(now() + longestWaitMs, deadline.startUntil);
      waiting.set(name, { ...one, untilMs });
      void poll();
      return one.promise;
    },
  };
}
