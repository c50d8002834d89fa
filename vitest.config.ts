import { defineConfig } from 'vitest/config';

/** Four layers, each a project, so that one can be run alone: `npm test -- --project db`. */
const layer = (name: string, extra: Record<string, unknown> = {}) => ({
  test: {
    name,
    include: [`tests/${name}/**/*.test.ts`],
    // What hangs is to be found; how fast a busy machine is, is not.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    ...extra,
  },
});

export default defineConfig({
  test: {
    projects: [layer('unit'), layer('db'), layer('worker'), layer('local')],
    globalSetup: ['tests/support/global-setup.ts'],
    maxWorkers: 2,
  },
});
