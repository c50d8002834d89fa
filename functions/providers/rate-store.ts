import type { Redis } from '@upstash/redis';
import { type Learned, type Lesson, nothingLearned, type Seen, stages } from './pace.pure.ts';
import type { SetLimits } from './rate-limiter.ts';
import { learnScript, takeScript } from './rate-scripts.ts';
import type { SharedRedis, SlotUse } from './shared-redis.ts';

/** µs for a call and for a token, as set; 0: not set. */
export type SetPace = { every: number; everyToken: number };

const minuteUs = 60_000_000;
/** A window of the provider's may begin at any time: what is late must not crowd into the next one. */
const share = 0.985;

export function setPaceOf({ requestsPerSecond, requestsPerMinute, tokensPerMinute }: SetLimits) {
  const perMinute = Math.min(requestsPerMinute ?? Infinity, (requestsPerSecond ?? Infinity) * 60);
  const every = (limit: number) => (limit === Infinity ? 0 : minuteUs / (limit * share));
  return { every: every(perMinute), everyToken: every(tokensPerMinute ?? Infinity) };
}

/** What a header said after so many calls and tokens; -1: not said. */
export type Observation = {
  serial: number;
  tokens: number;
  requestsLeft: number;
  tokensLeft: number;
  at: number;
};

export type Ask = {
  /** Tokens of each call for which a turn is asked, at most six. */
  calls: number[];
  waiting: number;
  longestWaitMs: number;
  /** The place in the line (µs) that was told; 0: none. */
  place: number;
  onlyFree: boolean;
  uncounted: number;
  tokensBack: number;
  refused: number;
  observed: Observation | undefined;
};

/** What Redis answered. Times in ms from now; `startsIn`: of each turn that was given. */
export type Answer = {
  version: number;
  isFree: boolean;
  blockedMs: number;
  isQuota: boolean;
  /** When those without a turn are to come again; undefined: there are none. */
  waitMs: number | undefined;
  serial: number;
  tokens: number;
  /** Of late, while no pace is known. */
  callsPerSecond: number;
  every: number;
  everyToken: number;
  /** The first call whose success is to be told; 0: none. */
  check: number;
  /** ms for a call of the usual size; 0: no limit. */
  spacingMs: number;
  startsIn: number[];
  /** Of those that wait, in the line: µs of Redis' clock; 0: there is no line. */
  place: number;
};

export type Knowledge = { version: number; learned: Learned; seen: Seen };

export type RateStore = ReturnType<typeof createRateStore>;

/** Turns asked for at once: more would fill the slots that others of the invocation need. */
export const mostTurns = 3;
const toleranceUs = 100_000;
const horizonUs = 300_000;

/** Where a provider's pace is kept in Redis. */
export const rateKeyOf = (provider: string): string => `rowloom:rate:${provider}`;

type KnownScript<T> = (redis: Redis) => {
  exec: (keys: string[], args: string[]) => Promise<T>;
};

/** A script that is hashed once, for the one Redis of an invocation, and sent whole only where Redis lacks it. */
function scriptOf<T>(text: string): KnownScript<T> {
  let script: ReturnType<KnownScript<T>> | undefined;
  return (redis) => (script ??= redis.createScript<T>(text));
}

/** A provider's hash in Redis; undefined where Redis does not answer. */
export function createRateStore(
  options: { provider: string; shared: SharedRedis; now: () => number },
  set: SetPace,
) {
  const key = rateKeyOf(options.provider);
  const [takes, learns] = [scriptOf<number[]>(takeScript), scriptOf<LearnReply>(learnScript)];
  const run = <T>(script: KnownScript<T>, args: (number | string)[], slot: SlotUse) =>
    options.shared.ask((redis) => script(redis).exec([key], args.map(String)), slot);
  return {
    take: async (ask: Ask, slot: SlotUse): Promise<Answer | undefined> => {
      const { place, waiting, uncounted, tokensBack, observed: seen, refused, calls } = ask;
      const limits = [set.every, set.everyToken, toleranceUs, horizonUs];
      const row = [Math.round(ask.longestWaitMs * 1000), place, Number(ask.onlyFree), waiting];
      const left = [seen?.requestsLeft ?? -1, seen?.tokensLeft ?? -1];
      const ageUs = seen ? Math.round((options.now() - seen.at) * 1000) : 0;
      const told = [seen?.serial ?? 0, seen?.tokens ?? 0, ...left, ageUs, refused];
      const args = [...limits, ...row, uncounted, tokensBack, ...told, ...calls];
      const reply = await run(takes, args, slot);
      return reply && answerOf(reply);
    },
    /** `closeMs`: nobody has a turn for so long, unless it is longer already. */
    look: async (
      closeMs: number | undefined,
      refused: number,
      slot: SlotUse,
    ): Promise<Knowledge | undefined> => {
      const block = closeMs === undefined ? -1 : Math.round(closeMs * 1000);
      const reply = await run(learns, [-1, block, -1, 0, refused], slot);
      return reply && knowledgeOf(reply);
    },
    /** Undefined too where somebody has learned since. */
    learn: async (version: number, lesson: Lesson, slot: SlotUse): Promise<true | undefined> => {
      const { learned, block, check, quota } = lesson;
      const fields = Object.entries({ ...learned, stage: stages.indexOf(learned.stage) });
      const args = [
        version,
        Math.round(block),
        check,
        Number(block >= 0),
        0,
        'quota',
        Number(quota),
      ];
      const reply = await run(learns, [...args, ...fields.flat(), ...probeOf(lesson)], slot);
      return reply?.[0] === 1 ? true : undefined;
    },
  };
}

/** After the second refusal in a row one call goes ahead, and others when its refusal would be known. */
const probeUs = 300_000;
const probeOf = ({ learned, block }: Lesson): (string | number)[] =>
  block >= 0 ? ['probe', learned.refusals > 0 ? probeUs : 0] : [];

function answerOf(reply: number[]): Answer {
  const [
    version = 0,
    free,
    blocked,
    quota,
    wait,
    serial,
    tokens,
    rate,
    every,
    token,
    check,
    spacing,
  ] = reply;
  const of = (value: number | undefined) => value ?? 0;
  return {
    version,
    isFree: free === 1,
    blockedMs: of(blocked) / 1000,
    isQuota: quota === 1,
    waitMs: of(wait) < 0 ? undefined : of(wait) / 1000,
    serial: of(serial),
    tokens: of(tokens),
    callsPerSecond: of(rate) / 1000,
    every: of(every) / 1000,
    everyToken: of(token) / 1000,
    check: of(check),
    spacingMs: of(spacing) / 1000,
    place: of(reply[12]),
    startsIn: reply.slice(13).map((us) => us / 1000),
  };
}

type LearnReply = [ok: number, now: number, everyNs: number, hash: (string | number)[]];

function knowledgeOf([, now, everyNs, words]: LearnReply): Knowledge {
  const hash = new Map<string, number>();
  for (let at = 0; at < words.length; at += 2) hash.set(String(words[at]), Number(words[at + 1]));
  const field = (name: string) => hash.get(name) ?? 0;
  const learned: Learned = { ...nothingLearned, stage: stages[field('stage')] ?? 'free' };
  const names = ['every', 'grow', 'burst', 'everyToken', 'burstToken'] as const;
  for (const name of [
    ...names,
    'refusedAt',
    'refusedSerial',
    'refusals',
    'low',
    'high',
    'markedAt',
    'markedCalls',
    'markedSerial',
    'quick',
  ] as const)
    learned[name] = field(name);
  const marks = [
    { at: field('begun'), serial: 0 },
    { at: field('time1'), serial: field('serial1') },
    { at: field('time2'), serial: field('serial2') },
  ];
  const accepted = field('serial') - field('refused');
  const seen = {
    now,
    serial: field('serial'),
    accepted,
    check: field('check'),
    every: everyNs / 1000,
    marks,
  };
  return { version: field('version'), learned, seen };
}
