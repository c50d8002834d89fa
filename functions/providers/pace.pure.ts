import type { HeaderLimits } from './rate-headers.pure.ts';

const secondUs = 1_000_000;
const minuteUs = 60 * secondUs;
const mostBlockUs = 24 * 60 * minuteUs;

/**
 * What is known of a provider's limits. `free`: nothing. `tried`: refused once, and faster paces are tried.
 * `measured`: from what went through while calls were refused. `known`: from headers.
 */
export const stages = ['free', 'tried', 'measured', 'known'] as const;

/** Times in µs, paces in µs for a call or a token (0: none). */
export type Learned = {
  stage: (typeof stages)[number];
  every: number;
  everyToken: number;
  /** For the pace to grow to its double. */
  grow: number;
  /** What fills a bucket. */
  burst: number;
  burstToken: number;
  /** The last refusal that counted: when, how many calls had been given, how many refusals in a row. */
  refusedAt: number;
  refusedSerial: number;
  refusals: number;
  /** A pace that held, one that did not, and the one that a bucket for a second would have. */
  low: number;
  high: number;
  quick: number;
  /** When counting of accepted calls began, and how many there had been. */
  markedAt: number;
  markedCalls: number;
  markedSerial: number;
};

export const nothingLearned: Learned = {
  stage: 'free',
  every: 0,
  everyToken: 0,
  grow: 0,
  burst: 0,
  burstToken: 0,
  refusedAt: 0,
  refusedSerial: 0,
  refusals: 0,
  low: 0,
  high: 0,
  quick: 0,
  markedAt: 0,
  markedCalls: 0,
  markedSerial: 0,
};

/** Where the count of calls stood at some moment (µs). */
export type Mark = { at: number; serial: number };

/** What is seen when something is learned; `every`: µs for a call at the pace of this moment (0: free). */
export type Seen = {
  now: number;
  serial: number;
  /** Calls that were given a turn and, as far as is known, not refused. */
  accepted: number;
  /** The number of the call after which a pace that held is to be looked at; 0: none. */
  check: number;
  every: number;
  marks: Mark[];
};

/** What was learned, and what follows: µs to close (-1: as it is), calls until the next look (-1: none). */
export type Lesson = { learned: Learned; block: number; check: number; quota: boolean };

/** A 429: the call's number, when it was sent (µs), what the provider asked for, what its headers say. */
export type Refusal = {
  serial: number;
  sentAt: number;
  retryAfterUs: number | undefined;
  limits: HeaderLimits;
  tokens: number;
};

const clamp = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, value));

/** Without a word of the provider's: 0.1 s, each time three times as long, up to 8 s. */
const backoff = (refusals: number): number =>
  Math.min(8 * secondUs, (secondUs / 10) * 3 ** Math.min(refusals, 10));

/** So soon after one refusal another says nothing but that it was too soon. */
const tooFew = 3;
/** So often too soon: it is no bucket for a second, which would have been full again. */
const tooOften = 3;
/** Rests for a call that a pace that was learned allows to be late. */
const learnedBurst = secondUs / 10;
/** So many refusals, one after the other, of calls that were made one at a time. */
const refusesAll = 8;
/** A wait that is longer than an even refill needs: the provider counts by windows of a minute. */
const windowUs = 5 * secondUs;
/** Refusals in so short a time are of one cause, and measure nothing. */
const leastMeasureUs = 3 * secondUs;

/** How long a measured pace takes to double, at first and at last, and how long it must hold for more. */
const [slowGrowth, fastestGrowth, holdUs] = [
  1000 * secondUs,
  60 * secondUs,
  20 * secondUs,
] as const;
const callsIn = (us: number, every: number): number => Math.max(10, Math.ceil(us / every));
/** How long a faster pace is tried. */
const trialUs = 1.5 * secondUs;
/** Paces so close to each other are the same. */
const close = 1.2;

/**
 * µs for a call, from the calls that went through before the first refusal: a bucket for a minute gives
 * its whole content and what came in meanwhile, A = L·(1 + T/60 s), whenever one begins to count.
 */
function guess(seen: Seen, refusal: Refusal, windowUs = minuteUs): number {
  const estimates = seen.marks.map(({ at, serial }) => {
    const accepted = Math.max(1, refusal.serial - serial);
    return (windowUs + Math.max(0, refusal.sentAt - at)) / accepted;
  });
  return Math.min(minuteUs, ...estimates);
}

const markOf = ({ now, accepted, serial }: Seen) => ({
  markedAt: now,
  markedCalls: accepted,
  markedSerial: serial,
});

type Change = Partial<Learned> & { every: number };

const settle = (every: number): Change => ({ stage: 'measured', every, grow: slowGrowth });

/** The next pace to try between one that held and one that did not (0: none did not). */
function attempt({ low, high, quick }: Pick<Learned, 'low' | 'high' | 'quick'>): Change {
  const next = { stage: 'tried', low, high, quick: 0, grow: 0 } as const;
  if (high === 0) return { ...next, every: quick > 0 && quick < low / 1.5 ? quick : low / 2 };
  if (low / high < close) return settle(Math.sqrt(low * high) * 1.03);
  return { ...next, every: Math.sqrt(low * high) };
}

/**
 * A little more than twice the guess, and a few calls for a guess that is small: what a bucket for a minute
 * does not bear for long.
 */
const firstTrial = (guessed: number, quick: number): Change => ({
  stage: 'tried',
  low: guessed,
  high: 0,
  quick,
  grow: 0,
  every: 1 / (2.2 / guessed + 2 / secondUs + 0.4 / (guessed - quick)),
});

/** What a refusal of one call says of the pace; nothing: that it stays. */
function paceAfter(
  learned: Learned,
  seen: Seen,
  refusal: Refusal,
  set: number,
): Change | undefined {
  if (learned.stage === 'tried') {
    if (learned.quick === 0) return attempt({ ...learned, high: seen.every });
    // By now all have told what went through: the guess knew of few.
    const [first] = seen.marks;
    const whole = first ? (minuteUs + seen.now - first.at) / Math.max(1, seen.accepted) : Infinity;
    return settle(Math.min(learned.low, whole));
  }
  if (learned.stage === 'free' && set === 0) {
    const guessed = guess(seen, refusal);
    return (refusal.retryAfterUs ?? 0) >= windowUs
      ? settle(guessed)
      : firstTrial(guessed, guess(seen, refusal, secondUs));
  }
  const every = Math.max(set, seen.every);
  const [passedUs, calls] = [seen.now - learned.markedAt, seen.accepted - learned.markedCalls];
  if (learned.markedAt === 0 || passedUs < leastMeasureUs || calls < 1) return undefined;
  // One in a hundred is the price of keeping to a limit that is set; more is a limit that is lower.
  if (every === set && calls > (seen.serial - learned.markedSerial) * 0.99) return undefined;
  return settle(clamp((passedUs / calls) * 1.02, every * 1.015, every * 2));
}

/** What a 429 means; undefined: it was sent before the last one was known, or is of the same burst. */
export function learnFromRefusal(
  learned: Learned,
  seen: Seen,
  refusal: Refusal,
  set: number,
): Lesson | undefined {
  if (learned.refusedAt > 0 && refusal.serial <= learned.refusedSerial) return undefined;
  const asked = refusal.retryAfterUs;
  const said = asked !== undefined && asked > 0 ? Math.min(asked, mostBlockUs) : undefined;
  const isAgain = learned.refusedAt > 0 && refusal.serial - learned.refusedSerial <= tooFew;
  const refusals = isAgain ? learned.refusals + 1 : 0;
  const marked = markOf(seen);
  const next = { ...learned, refusals, refusedAt: seen.now, refusedSerial: seen.serial };
  const { requestsPerDay, tokensPerMinute } = refusal.limits;
  const quota = requestsPerDay?.remaining === 0;
  const isTokens = tokensPerMinute !== undefined && tokensPerMinute.remaining < refusal.tokens;
  const isOther = quota || isTokens || learned.stage === 'known';
  const asSaid = (quota && (requestsPerDay.resetMs ?? 0) * 1000) || (said ?? backoff(refusals));
  // One that takes nothing at all, whatever it says, is away: jobs say that they wait.
  const block = refusals >= refusesAll ? Math.max(asSaid, 30 * secondUs) : asSaid;
  let change: Change | undefined;
  if (isAgain && learned.stage === 'tried' && refusals >= tooOften) change = settle(learned.low);
  // Who waits as long as was asked for and is refused once more is too fast.
  else if (isAgain && !isOther && said !== undefined && refusals > 1)
    change = settle(Math.max(set, seen.every) * 1.5);
  else if (!isAgain && !isOther) change = paceAfter(learned, seen, refusal, set);
  if (change) Object.assign(next, { burst: learnedBurst }, marked, change);
  else if (learned.markedAt === 0) Object.assign(next, marked);
  const isFirst = learned.stage === 'free' && next.stage === 'tried' && said === undefined;
  const closed = isFirst ? secondUs : block;
  // A pace is tried from when it is open again.
  if (next.stage === 'tried') next.markedAt = seen.now + closed;
  return { learned: next, block: closed, check: checkOf(next), quota };
}

const checkOf = ({ stage, every }: Learned): number => {
  if (stage === 'tried') return callsIn(trialUs, every);
  return stage === 'measured' ? callsIn(holdUs, every) : -1;
};

/** Nobody was refused for a while: a pace that was tried holds; one that was measured grows faster. */
export function learnFromQuiet(learned: Learned, seen: Seen): Lesson | undefined {
  if (seen.check === 0 || seen.serial < seen.check) return undefined;
  if (seen.now < learned.markedAt + trialUs) return undefined;
  if (learned.stage !== 'measured' && learned.stage !== 'tried') return undefined;
  const marked = markOf(seen);
  const change =
    learned.stage === 'tried'
      ? attempt({ ...learned, low: seen.every })
      : { every: seen.every, grow: Math.max(fastestGrowth, learned.grow / 2) };
  const next = { ...learned, ...marked, ...change };
  const check = checkOf(next);
  return {
    learned: next,
    block: -1,
    check: learned.stage === 'measured' ? check / 2 : check,
    quota: false,
  };
}

const everyOf = (limit: number | undefined): number => (limit === undefined ? 0 : minuteUs / limit);
const differs = (a: number, b: number): boolean => Math.abs(a - b) > a / 1000;

/** Limits that headers tell and that are not those known; undefined: nothing new. */
export function learnFromHeaders(learned: Learned, limits: HeaderLimits): Lesson | undefined {
  const every = everyOf(limits.requestsPerMinute?.limit);
  const everyToken = everyOf(limits.tokensPerMinute?.limit);
  const next = { ...learned };
  if (every > 0 && differs(every, learned.every))
    Object.assign(next, { stage: 'known', every, grow: 0, burst: minuteUs });
  if (everyToken > 0 && differs(everyToken, learned.everyToken))
    Object.assign(next, { everyToken, burstToken: minuteUs });
  const { requestsPerDay: day } = limits;
  if (day?.remaining === 0)
    return { learned: next, block: (day.resetMs ?? 0) * 1000, check: -1, quota: true };
  if (next.every === learned.every && next.everyToken === learned.everyToken) return undefined;
  return { learned: next, block: -1, check: checkOf(next), quota: false };
}
