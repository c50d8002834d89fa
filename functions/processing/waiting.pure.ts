import type { AwayReason } from '../providers/errors.pure.ts';

/** A provider that nobody calls for now, as the database says it; times are ms since 1970. */
export type OpenProvider = {
  name: string;
  reason: AwayReason;
  detail: string;
  openedAtMs: number;
  untilMs: number | undefined;
};

/** What a job's rows cannot do without. */
export type Needs = { search: boolean; models: readonly string[] };

/** What a job waits for. */
export type Waiting = {
  provider: string;
  reason: AwayReason;
  untilMs: number | undefined;
  /** It goes on as soon as one of them works. */
  providers: string[];
  sinceMs: number;
};

/** What keeps a job's rows from being worked; undefined: nothing. A model is enough, of several. */
export function waitingFor(needs: Needs, open: readonly OpenProvider[]): Waiting | undefined {
  const search = needs.search ? open.find(({ name }) => name === 'search') : undefined;
  const models = needs.models.flatMap((name) => open.find((one) => one.name === name) ?? []);
  const blockers = search ? [search] : models.length === needs.models.length ? models : [];
  const [first] = blockers;
  if (!first) return undefined;
  const untils = blockers.flatMap(({ untilMs }) => untilMs ?? []);
  return {
    provider: first.name,
    reason: first.reason,
    untilMs: untils.length === blockers.length ? Math.min(...untils) : undefined,
    providers: blockers.map(({ name }) => name),
    sinceMs: Math.max(...blockers.map(({ openedAtMs }) => openedAtMs)),
  };
}

/** A refusal is mended by an operator, a quota by the next day: both take longer than an outage may. */
const leastForOthersMs = 86_400_000;

/** How long a job waits for a provider before its rows fail. */
export const patienceMs = (reason: AwayReason, outagePatienceMs: number): number =>
  reason === 'unavailable' ? outagePatienceMs : Math.max(outagePatienceMs, leastForOthersMs);

/** Whether a job that runs since `startedAtMs` has waited long enough. */
export const isGivenUp = (
  { reason, sinceMs, untilMs = 0 }: Waiting,
  startedAtMs: number,
  nowMs: number,
  outagePatienceMs: number,
): boolean => {
  const waitsFromMs = Math.max(sinceMs, startedAtMs, reason === 'unavailable' ? 0 : untilMs);
  return nowMs - waitsFromMs >= patienceMs(reason, outagePatienceMs);
};

const said: Record<AwayReason, string> = {
  unavailable: 'did not answer',
  rate_limited: 'took no more requests',
  quota_exhausted: 'had no quota left',
  refused: 'refused us',
};

const spanOf = (ms: number): string => {
  const minutes = ms / 60_000;
  if (minutes < 2) return `${Math.round(ms / 1000)} seconds`;
  return minutes < 120 ? `${Math.round(minutes)} minutes` : `${Math.round(minutes / 60)} hours`;
};

/** Why rows failed that waited in vain, as their user reads it. */
export const gaveUpSentence = ({ provider, reason }: Waiting, outagePatienceMs: number): string =>
  `The ${provider === 'search' ? 'search engine' : 'model'} ${said[reason]} for ${spanOf(patienceMs(reason, outagePatienceMs))}`;
