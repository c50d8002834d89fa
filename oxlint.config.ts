import { defineConfig, type DummyRuleMap, type OxlintOverride } from 'oxlint';

/**
 * What some files must not import, by what an import names: packages (and what lies below them), folders,
 * files without their ending. `node` and `cloudflare` stand for `node:fs` and `cloudflare:workers`.
 */
type Ban = {
  packages?: string[];
  folders?: string[];
  files?: string[];
  why: string;
  allowTypeImports?: true;
};

const standIns: Ban = {
  folders: ['local'],
  why: 'Stand-ins are for development: nothing of the product imports local/.',
};
const product: Ban = {
  folders: ['functions'],
  why: "A stand-in stands for somebody else's service: it shares no code with the product.",
};
const rows = {
  packages: ['drizzle-orm', '@neondatabase'],
  folders: ['db'],
  files: ['schema'],
  why: 'Data access belongs to the verbs: a route verifies, parses, calls one verb and answers.',
} satisfies Ban;
const http = {
  packages: ['hono', 'hono-openapi'],
  folders: ['routes', 'http'],
  why: 'The domain knows nothing of HTTP.',
} satisfies Ban;
const payments: Ban = {
  packages: ['stripe'],
  folders: ['stripe', 'billing'],
  why: 'Jobs and the ledger know nothing of Stripe or of what users ask of it.',
};
const jobs: Ban = { folders: ['jobs'], why: 'Only routes and the cron use the verbs of jobs.' };
const rowWork: Ban = {
  folders: ['jobs', 'processing', 'csv', 'ledger'],
  why: 'What rows are worked with knows nothing of rows, jobs or credits.',
};
const domain: Ban = {
  packages: ['stripe', ...rows.packages],
  folders: ['ledger', 'jobs', 'billing', 'stripe', 'db'],
  files: ['schema'],
  why: 'http/ knows nothing of credits or rows.',
};
const effects: Ban = {
  packages: [...http.packages, ...rows.packages, '@upstash', 'stripe', 'node', 'cloudflare'],
  folders: ['db', 'clients'],
  files: ['schema', 'context'],
  why: 'A pure file imports nothing with effects; types are free.',
  allowTypeImports: true,
};

/** The folders of `functions/` and what their files must not import, types included. */
export const rooms: Record<string, Ban[]> = {
  routes: [rows],
  env: [http, domain],
  http: [domain],
  stripe: [http],
  clients: [http],
  ledger: [http, payments, jobs],
  billing: [http],
  jobs: [http, payments],
  csv: [http, payments, jobs],
  users: [http],
  notices: [http],
  notifications: [http, payments, jobs],
  processing: [http, payments, jobs],
  sweeps: [http],
  providers: [http, payments, rowWork],
  shared: [http, payments, rowWork],
};

/**
 * Files without effects, by their place below a room. What they import as a value is pure as well: no
 * pattern can say that beside others, so tests/unit/architecture.test.ts holds them to it.
 */
const pureIn = (room: string): string => (room === 'csv' ? '**' : '**/*.pure.ts');
export const pureFiles = ['functions/**/*.pure.ts', 'functions/csv/**', 'functions/errors.ts'];
export const purePackages = ['papaparse', 'chardet/lib/encoding/mbcs.js'];

const nodeGlobals = ['process', 'Buffer', '__dirname', '__filename', 'setImmediate'];
const effectGlobals = ['fetch', 'setTimeout', 'setInterval', 'crypto', 'caches'];

/** A ban as one expression over what an import names. Globs would let one ban's `!` lift another. */
function expression({ packages = [], folders = [], files = [] }: Ban): string {
  const parts = [
    ...packages.map((name) => `${name}([:/].*)?`),
    ...folders.map((name) => `[.].*/${name}(/.*)?`),
    ...files.map((name) => `[.].*/${name}([.]ts)?`),
  ];
  return `^(${parts.join('|')})$`;
}

const imports = (...bans: Ban[]): DummyRuleMap => ({
  'no-restricted-imports': [
    'error',
    {
      patterns: bans.map((ban) => ({
        regex: expression(ban),
        message: ban.why,
        ...(ban.allowTypeImports ? { allowTypeImports: true } : {}),
      })),
    },
  ],
});

/**
 * Of several overrides that set a rule for a file the last one wins whole, so each sets all that holds for
 * its files: rooms do not overlap, and a room's pure files come after it with both.
 */
const architecture: OxlintOverride[] = [
  { files: pureFiles, rules: imports(standIns, effects) },
  ...Object.entries(rooms).flatMap(([room, bans]) => [
    { files: [`functions/${room}/**`], rules: imports(standIns, ...bans) },
    {
      files: [`functions/${room}/${pureIn(room)}`],
      rules: imports(standIns, ...bans, effects),
    },
  ]),
  { files: ['local/**'], rules: imports(product) },
  { files: ['tests/**', 'bench/**'], rules: { 'no-restricted-imports': 'off' } },
];

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise'],
  categories: { correctness: 'error', suspicious: 'error', perf: 'error' },
  env: { es2024: true },
  ignorePatterns: ['dist/**', 'node_modules/**'],
  rules: {
    'no-await-in-loop': 'off',
    'no-console': 'error',
    'no-shadow': 'off',
    'no-unmodified-loop-condition': 'off',
    'import/no-named-as-default': 'off',
    'import/no-named-as-default-member': 'off',
    'oxc/no-map-spread': 'off',
    'unicorn/prefer-set-has': 'off',
    'typescript/consistent-return': 'off',
    'no-underscore-dangle': 'off',
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
    'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'import/no-unassigned-import': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/prefer-add-event-listener': 'off',
    'unicorn/require-module-specifiers': 'off',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'typescript/await-thenable': 'error',
    'typescript/switch-exhaustiveness-check': [
      'error',
      { considerDefaultExhaustiveForUnions: true },
    ],
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/consistent-type-imports': 'error',
    'promise/always-return': 'off',
    ...imports(standIns),
  },
  overrides: [
    ...architecture,
    { files: ['functions/**'], rules: { 'no-restricted-globals': ['error', ...nodeGlobals] } },
    {
      files: pureFiles,
      rules: {
        'no-restricted-globals': ['error', ...nodeGlobals, ...effectGlobals],
        'no-restricted-properties': [
          'error',
          { object: 'Date', property: 'now', message: 'A pure step takes `now`.' },
          { object: 'Math', property: 'random', message: 'A pure step takes its randomness.' },
        ],
      },
    },
    { files: ['schema.ts'], rules: { 'max-lines': 'off' } },
    {
      files: ['functions/worker.ts', '*.config.ts', 'functions/**/worker.ts'],
      rules: { 'import/no-default-export': 'off' },
    },
    {
      files: ['scripts/**', 'bench/**', 'local/**', 'db/**'],
      rules: { 'no-console': 'off' },
    },
    {
      files: ['tests/**', 'bench/**'],
      rules: {
        'max-lines-per-function': 'off',
        'max-lines': ['error', { max: 420, skipBlankLines: true, skipComments: true }],
        'no-console': 'off',
      },
    },
  ],
});
