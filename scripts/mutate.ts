/**
 * `npm run mutate [-- FILE…]`: breaks each policy of the books on purpose, one small change at a time,
 * and tells which changes no unit test notices. MUTANTS=200 takes a sample (SEED=1), LIMIT=90 is the
 * least percentage per file; WORKERS=2. Exits 1 below the limit.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { changeOf, isEquivalent } from './mutate/equivalent.ts';
import { mutate, type Mutant, mutantsOf } from './mutate/mutants.ts';
import type { Broken } from './mutate/runner.ts';

const root = new URL('..', import.meta.url).pathname;
const folders = ['tests/unit/ledger', 'tests/unit/stripe'].filter((folder) =>
  existsSync(root + folder),
);
const patterns = ['functions/ledger/*.pure.ts', 'functions/stripe/{normalise,policies}/*.pure.ts'];
/** What decides nothing, and what the tests of the db layer hold against the fold. */
const others = ['difference', 'entries', 'timeline', 'entry-view', 'step', 'subscription-row'].map(
  (name) => `functions/ledger/${name}.pure.ts`,
);

const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const [sample, seed] = [number('MUTANTS', Infinity), number('SEED', 1)];
const [limit, workers] = [number('LIMIT', 90), number('WORKERS', 2)];
const slowestMs = 30_000;

const asked = process.argv.slice(2);
const files = globSync(patterns, { cwd: root })
  .filter((file) => !others.includes(file))
  .filter((file) => asked.length === 0 || asked.some((part) => file.includes(part)))
  .toSorted();

const sources = new Map(files.map((file) => [file, readFileSync(root + file, 'utf8')]));

function shuffled<T>(items: T[]): T[] {
  let state = seed;
  const keys = new Map(
    items.map((item) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return [item, state];
    }),
  );
  return items.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0));
}

const sourceOf = (file: string): string => sources.get(file) ?? '';
const all = files.flatMap((file) => mutantsOf(file, sourceOf(file)));
const equivalent = all.filter((mutant) => isEquivalent(mutant, sourceOf(mutant.file)));
const queue = shuffled(all.filter((mutant) => !equivalent.includes(mutant))).slice(0, sample);
const taken = [...queue];
const survived: Mutant[] = [];

type Answer = { id: number; killed?: boolean; error?: string };

const start = (): ChildProcess =>
  fork(new URL('mutate/runner.ts', import.meta.url), [root, ...folders], {
    env: { ...process.env, ORDERS: '2', RUNS: '15' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });

let asks = 0;

/** Whether a test failed; undefined: none did in time, or the child died. */
const isKilled = (child: ChildProcess, broken: Broken | null, timeoutMs: number) =>
  new Promise<boolean | undefined>((resolve, reject) => {
    const id = (asks += 1);
    const done = (killed?: boolean): void => {
      clearTimeout(timer);
      child.off('message', answered).off('exit', gone);
      resolve(killed);
    };
    const answered = (answer: Answer): void => {
      if (answer.id !== id) return;
      if (answer.error) reject(new Error(answer.error));
      done(answer.killed);
    };
    const gone = (): void => done();
    const timer = setTimeout(done, timeoutMs);
    child.on('message', answered).on('exit', gone).send({ id, broken });
  });

async function ready(): Promise<ChildProcess> {
  const child = start();
  const killed = await isKilled(child, null, 5 * slowestMs);
  if (killed !== false) throw new Error(`Without a mutant the tests ${killed ? 'fail' : 'hang'}.`);
  return child;
}

const shownOf = (mutant: Mutant): string =>
  `${mutant.file}:${mutant.line}  ${changeOf(mutant, sourceOf(mutant.file)).slice(0, 110)}`;

/** Prints the share of each file. → whether each is as high as it must be */
function report(): boolean {
  const tried = taken.slice(queue.length);
  const line = (name: string, isMeant: (mutant: Mutant) => boolean): number => {
    const [all, alive] = [tried.filter(isMeant).length, survived.filter(isMeant).length];
    const share = all === 0 ? 100 : (100 * (all - alive)) / all;
    console.log(`${share.toFixed(1).padStart(5)} %  ${all - alive} of ${all}  ${name}`);
    return share;
  };
  const shares = files.map((name) => line(name, ({ file }) => file === name));
  line('in all', () => true);
  return shares.every((share) => share >= limit);
}

async function work(): Promise<void> {
  let child = await ready();
  for (let mutant = queue.pop(); mutant; mutant = queue.pop()) {
    const { file } = mutant;
    const killed = await isKilled(
      child,
      { file, source: mutate(sourceOf(file), mutant) },
      slowestMs,
    );
    if (killed === undefined) {
      // A loop without end is noticed by the clock.
      child.kill('SIGKILL');
      child = await ready();
    } else if (!killed) {
      survived.push(mutant);
      console.log(`survived  ${shownOf(mutant)}`);
    }
    const done = taken.length - queue.length;
    if (done % 50 === 0) console.log(`${done} of ${taken.length}, ${survived.length} survived`);
  }
  child.kill();
}

console.log(
  `${files.length} files, ${all.length} mutants; ${equivalent.length} of them change nothing, ${taken.length} are tried.`,
);
process.once('SIGINT', () => process.exit(report() ? 0 : 1));
await Promise.all(Array.from({ length: workers }, work));

process.exit(report() ? 0 : 1);
