import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { basename, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Stack } from '../stack.ts';
import { type Api, apiClient, type Job, type Me, type Pack, type Plan } from './api.ts';
import { compare, type Input, readTable, statuses } from './csv.ts';
import { introduce, preview, tryRows } from './look.ts';
import { watchJob } from './progress.ts';
import { takeModelAway, whyItWaits } from './outage.ts';
import { resendWebhooks } from './resend.ts';
import { count, type Screen } from './screen.ts';
import { buy, choose, price } from './shop.ts';

/** The result of `npm run demo -- --json`. Times in seconds, credits as balances around the job. */
type Result = {
  rows: number;
  succeeded: number;
  failed: number;
  seconds: number;
  rowsPerSecond: number;
  creditsBefore: number;
  creditsAfter: number;
  out: string;
};

type Scene = {
  stack: Stack;
  api: Api;
  screen: Screen;
  input: Input;
  file: string;
  out: string;
  /** So long the model is away in the middle. */
  outageSeconds: number | undefined;
};

const me = (api: Api): Promise<Me> => api.json<Me>('GET', '/v1/me');

async function signUp({ api, screen }: Scene): Promise<Me> {
  screen.begin('Sign up');
  const user = await me(api);
  screen.done(`Signed up as ${user.email}: ${count(user.credits.balance)} credits`);
  return user;
}

/** Buys the plan that covers the rows, and packs on top where no plan does. */
async function buyCredits({ stack, api, screen }: Scene, credits: number): Promise<void> {
  const offers = await api.json<{ plans: Plan[]; packs: Pack[] }>('GET', '/v1/billing/plans');
  const { plan, pack, quantity } = choose(credits, offers.plans, offers.packs);
  const ask = (url: string): void => screen.note(`Stripe is the real one; pay here: ${url}`);
  screen.begin(`Buy the plan ${plan.name}`);
  const after = await buy({
    stack,
    api,
    ask,
    order: { plan: plan.key },
    arrived: ({ credits: now }) => now.plan === plan.credits,
  });
  screen.done(
    `Bought the plan ${plan.name} (${price(plan)}): Stripe's webhook made it ${count(after.credits.balance)} credits`,
  );
  if (!pack) return;
  screen.begin(`Buy ${quantity} × ${pack.name}`);
  const wanted = after.credits.purchased + quantity * pack.credits;
  const rich = await buy({
    stack,
    api,
    ask,
    order: { pack: pack.key, quantity },
    arrived: ({ credits: now }) => now.purchased >= wanted,
  });
  screen.done(
    `Bought ${quantity} × ${pack.name} (${price(pack, quantity)}): now ${count(rich.credits.balance)} credits`,
  );
}

type Run = { job: Job; held: number; seconds: number; waited: boolean };

async function runJob(scene: Scene): Promise<Run> {
  const { api, screen, input, file } = scene;
  const filename = basename(file);
  const total = input.table.rows.length;
  const { job, upload } = await api.json<{ job: Job; upload: { method: string; url: string } }>(
    'POST',
    '/v1/jobs',
    { filename, start: 'manual' },
  );
  screen.begin(`Send ${filename}`);
  let begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  const sent = await api.send(upload.method, upload.url, input.stream(), 'text/csv');
  const { job: ready } = (await sent.json()) as { job: Job };
  const sending = seconds();
  screen.done(`Sent ${filename}: ${count(total)} rows in ${sending.toFixed(1)} s`);
  await preview(scene, job.id);
  await tryRows(scene, ready);
  // Looking takes as long as it takes: the time of the job is that of sending and working.
  begin = performance.now() - sending * 1000;
  const started = await api.json<{ job: Job }>('POST', `/v1/jobs/${job.id}/start`);
  let { held } = started.job.credits;
  let waited = false;
  const last = await watchJob(api, job.id, ({ rows, credits, etaSeconds, waiting }) => {
    held = Math.max(held, credits.held);
    waited ||= waiting !== null;
    const rate = rows.done / Math.max(seconds(), 0.001);
    const eta = etaSeconds ?? (rate > 0 ? (rows.total - rows.done) / rate : 0);
    const why = waiting ? whyItWaits(waiting) : undefined;
    screen.bar({ ...rows, rowsPerSecond: rate, etaSeconds: eta, waiting: why });
  });
  const took = seconds();
  screen.done(
    `Researched and written in ${took.toFixed(1)} s: ${count(last.rows.succeeded)} succeeded, ${count(last.rows.failed)} failed`,
  );
  if (last.status !== 'completed')
    throw new Error(`The job ended as ${last.status}: ${JSON.stringify(last.error)}`);
  return { job: last, held, seconds: took, waited };
}

/** Works the job, while the model is away in its middle if that was asked for. */
async function runThroughOutage(scene: Scene): Promise<Run> {
  const { stack, screen, input, outageSeconds: seconds } = scene;
  if (seconds === undefined) return runJob(scene);
  const ended = new AbortController();
  const away = takeModelAway(stack.handles, {
    rows: input.table.rows.length,
    seconds,
    begins: () => screen.note(`From now on the model is away for ${seconds} s`),
    signal: ended.signal,
  });
  try {
    const [run] = await Promise.all([runJob(scene).finally(() => ended.abort()), away]);
    return run;
  } finally {
    ended.abort();
  }
}

async function download({ api, screen, out }: Scene, id: string): Promise<void> {
  screen.begin('Fetch the result');
  const answer = await api.send('GET', `/v1/jobs/${id}/output`);
  if (!answer.body) throw new Error('The output has no body.');
  await pipeline(answer.body, createWriteStream(out));
  screen.done(`Wrote ${relative(process.cwd(), out) || out}`);
}

/** Sends every webhook again and expects nothing to change. */
async function replay({ stack, api, screen }: Scene, before: number): Promise<string[]> {
  if (!stack.handles.stripe) return [];
  screen.begin("Send all of Stripe's webhooks again");
  const sent = await resendWebhooks(stack.services.stripe);
  if (sent === 0) return ['there were no webhooks to send again'];
  const { credits } = await me(api);
  if (credits.balance !== before)
    return [`sending the webhooks again changed the balance: ${before} → ${credits.balance}`];
  screen.done(`Sent all ${sent} webhooks again: still ${count(before)} credits`);
  return [];
}

/** Holds the output file and the credits against what must be true. */
async function check(scene: Scene, run: Run, spent: number): Promise<string[]> {
  const { input, out, stack } = scene;
  const { rows, credits } = run.job;
  let output = await readTable(out, ',');
  if (output.header.length === 1) output = await readTable(out, input.table.delimiter);
  const problems = compare(input.table, output);
  const { ok, error } = statuses(output);
  const perRow = Number(stack.env['CREDITS_PER_ROW'] ?? 1);
  const expect = (name: string, got: number, wanted: number): void => {
    if (got !== wanted) problems.push(`${name}: ${got} instead of ${wanted}`);
  };
  expect('succeeded + failed', rows.succeeded + rows.failed, input.table.rows.length);
  expect('rows marked ok', ok, rows.succeeded);
  expect('rows marked error', error, rows.failed);
  expect('credits charged', credits.charged, rows.succeeded * perRow);
  expect('credits gone from the balance', spent, rows.succeeded * perRow);
  if (scene.outageSeconds !== undefined) {
    expect('rows failed in the outage', rows.failed, 0);
    if (!run.waited) problems.push('the job never said that it waits for the model');
  }
  return problems;
}

function showTable(screen: Screen, result: Result, run: Run): void {
  screen.table('Result', [
    ['rows', count(result.rows)],
    ['succeeded', count(result.succeeded)],
    ['failed', count(result.failed)],
    ['credits before', count(result.creditsBefore)],
    ['credits held', count(run.held)],
    ['credits charged', count(run.job.credits.charged)],
    ['credits after', count(result.creditsAfter)],
    ['time', `${result.seconds.toFixed(1)} s`],
    ['rows per second', result.rowsPerSecond.toFixed(1)],
    ['file', relative(process.cwd(), result.out)],
  ]);
}

/**
 * The main job from sign-up to result, shown step by step. Gives the result and what of it is not as
 * it should be.
 * @throws ApiError when the API refuses something, Error when the story cannot go on.
 */
export async function tell(
  setting: Omit<Scene, 'api'>,
): Promise<{ result: Result; problems: string[] }> {
  const { stack, screen, input, out } = setting;
  const token = await stack.token(randomUUID(), 'ada@example.com');
  const scene: Scene = { ...setting, api: apiClient(stack.api, token) };
  await signUp(scene);
  const rows = input.table.rows.length;
  await buyCredits(scene, rows * Number(stack.env['CREDITS_PER_ROW'] ?? 1));
  await introduce(scene);
  const creditsBefore = (await me(scene.api)).credits.balance;
  const run = await runThroughOutage(scene);
  const creditsAfter = (await me(scene.api)).credits.balance;
  await download(scene, run.job.id);
  const wrong = await check(scene, run, creditsBefore - creditsAfter);
  const problems = [...wrong, ...(await replay(scene, creditsAfter))];
  const { succeeded, failed } = run.job.rows;
  const seconds = Number(run.seconds.toFixed(3));
  const rowsPerSecond = Number((rows / run.seconds).toFixed(1));
  const numbers = { rows, succeeded, failed, seconds, rowsPerSecond };
  const result = { ...numbers, creditsBefore, creditsAfter, out };
  showTable(screen, result, run);
  return { result, problems };
}
