import { afterAll, afterEach, expect, test } from 'vitest';
import { startNeonProxy } from '../../local/neon-proxy/index.ts';
import type { Fault, Faults } from '../../local/support/faults.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { Tally } from '../support/chaos-tally.ts';
import {
  checkJob,
  Dice,
  fileOf,
  look,
  persist,
  PlannedCuts,
  type Running,
  settle,
  untilRows,
} from '../support/chaos-worker.ts';
import { someone, startRig } from '../support/worker.ts';
import { everyMinute, minutesPass } from '../support/worker-time.ts';
import { unbounded } from '../support/unbounded.ts';

/** `CHAOS_SEED=…` draws the same stories again; `CHAOS_STORIES=50` for a long look. */
const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const stories = Number(process.env['CHAOS_STORIES'] ?? 5);

/** Enough for any one file of a story, not for two. */
const credits = 125;

const tally = new Tally();
const cuts = new PlannedCuts(tally);
const proxy = await startNeonProxy({ faults: cuts });
const rig = await startRig({
  qstash: { parallelism: 12 },
  providerLatencyMs: 15,
  env: { ...unbounded, NEON_PROXY_URL: proxy.url, SIGNUP_CREDITS: String(credits) },
});

const calm = (): void => {
  for (const { faults } of [rig.qstash, rig.redis, rig.providers, { faults: cuts }]) faults.clear();
};

afterEach(calm);

afterAll(async () => {
  console.log(
    [`chaos over HTTP: CHAOS_SEED=${seed} CHAOS_STORIES=${stories}`, ...tally.lines()].join('\n'),
  );
  await assertBooksHold(rig.database.pool);
  await rig.close();
  await proxy.close();
});

const troubles = [
  'doubled',
  'cut',
  'reordered',
  'restart',
  'dropped',
  'Redis down',
  'unheard',
  'cancel',
  'refused providers',
  'two at once',
] as const;

type Trouble = (typeof troubles)[number];

/** Each story has two troubles of its own, and others as the dice fall. */
const troublesOf = (dice: Dice, story: number): Set<Trouble> =>
  new Set(troubles.filter((_, i) => i >> 1 === story % 5 || dice.next() < 0.35));

/** Sets the switches of the stand-ins; what it gives says how often they struck. */
function trouble(dice: Dice, kinds: Set<Trouble>): () => void {
  const set: [name: string, fault: Fault, times: number][] = [];
  const add = (name: string, { faults }: { faults: Faults }, fault: Parameters<Faults['add']>[0]) =>
    set.push([name, faults.add(fault), fault.times ?? 0]);
  const delivery = (name: Trouble, kind: Fault['kind'], when?: 'after') =>
    add(name, rig.qstash, { on: 'delivery', kind, when, times: dice.between(2, 8) });
  const provider = (match: string) => {
    const status = dice.pick([429, 500, 503]);
    const times = dice.between(2, 10);
    add('refused providers', rig.providers, { kind: 'status', status, match, times });
  };
  const switches: Partial<Record<Trouble, () => unknown>> = {
    doubled: () => delivery('doubled', 'duplicate'),
    reordered: () => delivery('reordered', 'reorder'),
    dropped: () => delivery('dropped', 'drop'),
    unheard: () => delivery('unheard', 'drop', 'after'),
    'Redis down': () => add('Redis down', rig.redis, { kind: 'drop', times: 1_000_000 }),
    'refused providers': () => [provider('/serper'), provider('/openai')],
    cut: () => {
      const numbers = Array.from({ length: dice.between(4, 10) }, () => dice.between(1, 40));
      cuts.plan(new Map(numbers.map((n) => [n, dice.pick(['before', 'after'] as const)])));
    },
  };
  for (const kind of kinds) switches[kind]?.();
  return () => {
    for (const [name, fault, times] of set)
      tally.count(`struck: ${name}`, times - (fault.times ?? times));
  };
}

/** Sends a file as often as it takes → whether the job runs; it does not without credits. */
async function send({ token, id, csv }: Running): Promise<boolean> {
  const answer = await persist(() => rig.upload(token, id, csv), tally);
  await answer.body?.cancel();
  tally.count(`upload: ${answer.status}`);
  // 409: the answer before was lost, and it runs already.
  expect([202, 402, 409]).toContain(answer.status);
  return answer.status !== 402;
}

const post = async (
  { token, id }: Running,
  verb: 'cancel' | 'retry' | 'start',
): Promise<number> => {
  const path = `/v1/jobs/${id}/${verb}`;
  const answer = await persist(() => rig.api(path, { method: 'POST', token }), tally);
  await answer.body?.cancel();
  tally.count(`${verb}: ${answer.status}`);
  return answer.status;
};

/** What is done to a job while it runs. */
async function meddle(dice: Dice, kinds: Set<Trouble>, job: Running, rows: number): Promise<void> {
  if (kinds.has('restart')) {
    await untilRows(rig, job.id, dice.between(1, rows / 2));
    await rig.worker.restart();
    tally.count('Worker: killed');
  }
  if (!kinds.has('cancel')) return;
  await untilRows(rig, job.id, dice.between(1, rows - 6));
  expect([200, 409]).toContain(await post(job, 'cancel'));
  if (dice.next() < 0.3) return;
  expect([202, 409]).toContain(await post(job, 'retry'));
}

/** A job that waits for credits is not charged, and begins only when there are enough. */
async function checkWaiting(job: Running, rows: number): Promise<number> {
  const { credits } = await rig.me(job.token);
  const status = await post(job, 'start');
  expect(status).toBe(credits.balance >= rows ? 202 : 402);
  if (status === 202) return checkJob(rig, job);
  expect(await post(job, 'cancel')).toBe(200);
  expect((await rig.readJob(job.token, job.id)).credits).toEqual({
    held: 0,
    charged: 0,
    released: 0,
  });
  return 0;
}

test.each(Array.from({ length: stories }, (_, i) => [i]))(
  'story %i: every row once and in order, credits for what is ok, and the job ends',
  async (story) => {
    const dice = new Dice(seed + story * 7919);
    const kinds = troublesOf(dice, story);
    const twoAtOnce = kinds.has('two at once');
    const share = dice.pick([0, 0.05, 0.3, 1]);
    // What always fails is tried three times, with pauses.
    const rows = twoAtOnce ? dice.between(64, 80) : dice.between(40, share === 1 ? 60 : 120);
    tally.count(
      `story ${story}: ${rows} rows, ${share * 100} % of them fail, ${[...kinds].join(', ')}`,
    );
    const { token } = await rig.user(someone());
    const jobs: Running[] = [];
    for (let i = 0; i < (twoAtOnce ? 2 : 1); i += 1)
      jobs.push({ token, id: (await rig.createJob(token)).id, csv: fileOf(dice, rows, share) });

    const struck = trouble(dice, kinds);
    const sent = await Promise.all(jobs.map(send));
    const run = jobs.filter((_, i) => sent[i]);
    await Promise.all(run.map((job) => meddle(dice, kinds, job, rows)));
    for (const job of jobs) {
      await minutesPass(rig, job.id);
      await everyMinute(rig).catch(() => tally.count('cron: failed'));
    }
    struck();
    calm();

    for (const job of jobs) await settle(rig, job);
    let ok = 0;
    for (const job of jobs) {
      const { status } = await look(rig, job.id);
      ok +=
        status === 'awaiting_credits' ? await checkWaiting(job, rows) : await checkJob(rig, job);
    }
    tally.count('rows: ok', ok);
    tally.count('rows: all', rows * jobs.length);
    expect((await rig.me(token)).credits).toMatchObject({ balance: credits - ok, held: 0 });
  },
);
