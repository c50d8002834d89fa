/**
 * Runs the tests of one mutant after another in one long-lived vitest, for `scripts/mutate.ts`. A mutant
 * comes as a message; the answer is whether a test failed.
 */
import { resolve } from 'node:path';
import { BaseSequencer, createVitest, type TestSpecification } from 'vitest/node';

/** A file and what stands in it instead; null: all is as it is. */
export type Broken = { file: string; source: string };

const [root = '.', ...folders] = process.argv.slice(2);
let broken: Broken | null = null;

/** What is long stands last: most mutants do not live to see it. */
const isLong = ({ moduleId }: TestSpecification): number =>
  Number(/\/(?:stories|properties)/.test(moduleId));

class ShortFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.toSorted((a, b) => isLong(a) - isLong(b)));
  }
}

const vitest = await createVitest(
  {
    config: false,
    root,
    watch: true,
    silent: true,
    reporters: [{}],
    bail: 1,
    isolate: false,
    fsModuleCache: false,
    pool: 'threads',
    maxWorkers: 1,
    include: folders.map((folder) => `${folder}/**/*.test.ts`),
    testTimeout: 20_000,
    sequence: { sequencer: ShortFirst },
  },
  {
    server: { watch: null },
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        load(id: string) {
          return broken && id === resolve(root, broken.file) ? broken.source : null;
        },
      },
    ],
  },
);

const specifications = await vitest.globTestSpecifications();

async function fails(tests: TestSpecification[]): Promise<boolean> {
  if (tests.length === 0) return false;
  vitest.state.clearErrors();
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(tests, false);
  return unhandledErrors.length > 0 || testModules.some((module) => module.state() === 'failed');
}

/** The tests of the mutant's own folder decide first. */
async function isKilled(next: Broken | null): Promise<boolean> {
  for (const one of [broken, next]) if (one) vitest.invalidateFile(resolve(root, one.file));
  broken = next;
  const folder = `/unit/${next?.file.split('/')[1] ?? ''}/`;
  const isOwn = ({ moduleId }: TestSpecification) => moduleId.includes(folder);
  const own = specifications.filter(isOwn);
  return (await fails(own)) || fails(specifications.filter((one) => !own.includes(one)));
}

process.once('disconnect', () => process.exit());
process.on('message', ({ id, broken: next }: { id: number; broken: Broken | null }) => {
  void isKilled(next).then(
    (killed) => process.send?.({ id, killed }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
