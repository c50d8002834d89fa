import fc from 'fast-check';

/** What the product calls outside itself; each of these can be struck. */
export type Call =
  | 'job_upload_begin'
  | 'job_upload_append'
  | 'job_upload_abort'
  | 'job_start'
  | 'job_dispatch'
  | 'job_cancel'
  | 'job_retry'
  | 'job_delete'
  | 'jobs_stalled'
  | 'chunk_lease'
  | 'chunk_commit'
  | 'chunks_fail'
  | 'lane_pause'
  | 'lanes_resumed'
  | 'provider_open'
  | 'provider_probe_begin'
  | 'provider_probe_failed'
  | 'provider_close'
  | 'publish'
  | 'recall'
  | 'pause'
  | 'resume'
  | 'probe'
  | 'search'
  | 'complete';

/** The `nth` call of this name (from 0) is struck before it does its work, or after: then only its answer is lost. */
export type Strike = { call: Call; nth: number; when: 'before' | 'after' };

/** Of an invocation: when it begins no more rows, and when it gives up those that are not finished. */
export type Limits = { startMs: number; stopMs: number };

/**
 * What becomes of a delivery of the queue. Plain ones arrive, `again` a second time when done, `last`
 * after all that waits. `lost` ones never do and nobody is told. `refused` ones find nobody, `unheard`
 * ones are worked but the queue does not hear it: both come again, three times, then the failure
 * callback is delivered, which has a fate too. `spent` ones find nobody until they are given up.
 */
export type Fate =
  | { kind: 'arrives' | 'twice' | 'again' | 'last' | 'lost' | 'refused' | 'unheard' | 'spent' }
  /** Its lease runs out while it works: another delivery takes the chunk over, and commits all or a part first. */
  | { kind: 'outlived'; limits: Limits | null }
  /** The Worker dies in it, and with it all that it was about to do. */
  | { kind: 'killed'; strike: Strike }
  /** Rows are slow and the time limit (ms) is near. */
  | { kind: 'hurried'; limits: Limits };

/** How one attempt to send the file goes: cut off after some bytes, beside another, or the Worker dies. */
export type Sending =
  | { kind: 'whole' | 'twice' }
  | { kind: 'cut off'; afterBytes: number }
  | { kind: 'killed'; strike: Strike };

/** What an outage does with calls. Refusals are mended by somebody, limits pass. */
export const outageKinds = [
  ...(['500', '503', 'cut stream', 'garbage', 'nothing', 'hangs up', 'hangs'] as const),
  ...(['401', '402', '403', '404'] as const),
  ...(['429', '429 for 2 s', '429 for 40 s'] as const),
] as const;
export type OutageKind = (typeof outageKinds)[number];

/**
 * A provider goes away with the `from`th call to it, for so many seconds of the story's clock. `most`: some
 * calls are answered all the same, and some rows may see none of that.
 */
export type Outage = {
  provider: 'search' | 'complete';
  kind: OutageKind;
  from: number;
  seconds: number;
  share: 'all' | 'most';
};

export type Verb = 'cancel' | 'retry' | 'start' | 'delete' | 'read' | 'top up' | 'minutes pass';

/** Something that is done as soon as `at` deliveries have begun, beside whatever goes on then. */
export type Act = { at: number; verb: Verb; job: number; strike: Strike | null };

export type Plan = {
  /** One job, or two of the same user; `at`: how many deliveries are waited for before its upload. */
  jobs: {
    /** Rows with content. */
    rows: number;
    /** Before which of them one without stands. */
    blanks: number[];
    at: number;
    sendings: Sending[];
  }[];
  /** For all rows, for those of the longest job only, or for none. */
  credits: 'all' | 'one' | 'none';
  /** How many requests fail, in percent, how they are drawn, and when a provider is away. */
  providers: { failing: number; seed: number; outages: Outage[] };
  redis: 'up' | 'down' | 'flaps';
  fates: Fate[];
  /** The database and the queue are cut here, counted over the whole story. */
  cuts: Strike[];
  acts: Act[];
};

/** How long the stories' jobs wait for a provider, and outages that are well shorter and longer than that. */
export const patienceMinutes = 10;
export const shortSeconds = 120;
export const longSeconds = 900;

const when = fc.constantFrom('before' as const, 'after' as const);

const strikeAt = (calls: Call[], most: number): fc.Arbitrary<Strike> =>
  fc.record({ call: fc.constantFrom(...calls), nth: fc.nat(most), when });

const inChunk: fc.Arbitrary<Strike> = fc.oneof(
  strikeAt(['chunk_lease', 'chunk_commit', 'chunks_fail', 'publish'], 0),
  strikeAt(['search', 'complete'], 5),
);

const uploadCalls: Call[] = [
  'job_upload_begin',
  'job_upload_append',
  'job_start',
  'job_dispatch',
  'publish',
];

const limits: fc.Arbitrary<Limits> = fc.record({
  startMs: fc.nat(1500),
  stopMs: fc.integer({ min: 1000, max: 4000 }),
});

const fate: fc.Arbitrary<Fate> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'arrives' as const,
        'twice' as const,
        'again' as const,
        'last' as const,
        'lost' as const,
        'refused' as const,
        'unheard' as const,
        'spent' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('outlived' as const),
      limits: fc.option(limits, { freq: 2 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('killed' as const), strike: inChunk }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('hurried' as const),
      limits,
    }),
  },
);

const sending: fc.Arbitrary<Sending> = fc.oneof(
  fc.record({ kind: fc.constantFrom('whole' as const, 'twice' as const) }),
  fc.record({ kind: fc.constant('cut off' as const), afterBytes: fc.nat(200) }),
  fc.record({ kind: fc.constant('killed' as const), strike: strikeAt(uploadCalls, 1) }),
);

const act = (weight: number, verb: Verb, calls: Call[], latest = 24) => ({
  weight,
  arbitrary: fc.record({
    at: fc.nat(latest),
    verb: fc.constant(verb),
    job: fc.nat(1),
    strike: calls.length === 0 ? fc.constant(null) : fc.option(strikeAt(calls, 0), { freq: 2 }),
  }),
});

const acts = fc.array(
  fc.oneof(
    act(4, 'cancel', ['job_cancel', 'recall']),
    act(8, 'retry', ['job_retry', 'job_dispatch', 'publish'], 80),
    act(2, 'start', ['job_start', 'job_dispatch', 'publish']),
    act(1, 'delete', ['job_delete', 'recall']),
    act(4, 'read', []),
    act(2, 'top up', []),
    act(5, 'minutes pass', ['jobs_stalled', 'publish', 'job_dispatch', 'chunks_fail']),
  ),
  { maxLength: 8, size: 'max' },
);

/** Calls that few stories make: what is named twice is drawn twice as often. */
const rarely: Call[] = [
  ...(['chunks_fail', 'chunks_fail', 'recall', 'recall'] as const),
  ...(['job_cancel', 'job_retry', 'jobs_stalled'] as const),
];

/** What is called because a provider is away, or is back. */
const awayCalls: Call[] = [
  ...(['provider_open', 'lane_pause', 'pause', 'probe', 'provider_probe_begin'] as const),
  ...(['provider_probe_failed', 'provider_close', 'resume', 'lanes_resumed'] as const),
];

const cuts = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: strikeAt(['chunk_lease', 'chunk_commit'], 12) },
    { weight: 3, arbitrary: strikeAt(uploadCalls, 2) },
    { weight: 1, arbitrary: strikeAt(['job_upload_abort', 'job_delete'], 0) },
    { weight: 3, arbitrary: strikeAt(awayCalls, 1) },
    {
      weight: 5,
      arbitrary: strikeAt(rarely, 0),
    },
  ),
  { maxLength: 10, size: 'max' },
);

const seconds: fc.Arbitrary<number> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: shortSeconds }) },
  { weight: 1, arbitrary: fc.constant(longSeconds) },
);

const outage: fc.Arbitrary<Outage> = fc.record({
  provider: fc.constantFrom('search' as const, 'complete' as const),
  // Limits make invocations hold on: their stories are long ones.
  kind: fc.oneof(
    {
      weight: 24,
      arbitrary: fc.constantFrom(...outageKinds.filter((kind) => !/429|^hangs$/.test(kind))),
    },
    { weight: 1, arbitrary: fc.constantFrom(...outageKinds) },
  ),
  from: fc.nat(30),
  seconds,
  share: fc.oneof(
    { weight: 4, arbitrary: fc.constant('all' as const) },
    { weight: 1, arbitrary: fc.constant('most' as const) },
  ),
});

/** Stories. What shrinks away is trouble: past its lists, everything arrives and nothing is cut. */
export const plans: fc.Arbitrary<Plan> = fc.record({
  jobs: fc.array(
    fc.record({
      rows: fc.integer({ min: 1, max: 30 }),
      blanks: fc.oneof(
        { weight: 3, arbitrary: fc.constant<number[]>([]) },
        { weight: 2, arbitrary: fc.array(fc.nat(29), { maxLength: 8 }) },
      ),
      at: fc.nat(10),
      sendings: fc.array(sending, { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  credits: fc.oneof(
    { weight: 6, arbitrary: fc.constant('all' as const) },
    { weight: 3, arbitrary: fc.constant('one' as const) },
    { weight: 1, arbitrary: fc.constant('none' as const) },
  ),
  providers: fc.record({
    failing: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) },
    ),
    seed: fc.nat(1_000_000),
    outages: fc.array(outage, { maxLength: 2 }),
  }),
  redis: fc.constantFrom('up' as const, 'down' as const, 'flaps' as const),
  fates: fc.array(fate, { maxLength: 40, size: 'max' }),
  cuts,
  acts,
});
