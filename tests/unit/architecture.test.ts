import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, matchesGlob, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pureFiles, purePackages, rooms } from '../../oxlint.config.ts';
import { circular, type Import, importsOf, productImports } from '../support/imports.ts';

/** Made-up files: lines that the lint rules must report, and lines that they must let pass. */
type Case = { reported: string[]; passed: string[] };

let count = 0;
const from = (...names: string[]) => names.map((name) => `import { x${count++} } from '${name}';`);
const types = (...names: string[]) =>
  names.map((name) => `import type { X${count++} } from '${name}';`);
const uses = (...names: string[]) => names.map((name) => `void ${name};`);

const standIns = ['../../local/stripe/index.ts', '../../local/stack.ts'];
const hono = ['hono', 'hono/streaming', 'hono-openapi'];
const http = [...hono, '../routes/jobs.ts', '../http/problem.ts'];
const rows = ['drizzle-orm', 'drizzle-orm/neon-http', '@neondatabase/serverless'];
const tables = ['../../schema.ts', '../../schema', '../../db/client.ts'];
const payments = ['stripe', 'stripe/cjs/x.js', '../stripe/receive.ts'];
const effects = ['@upstash/redis', 'node:fs', 'cloudflare:workers', '../clients/redis.ts'];
const context = ['../context.ts', '../context'];

const cases: Record<string, Case> = {
  'functions/routes/a.ts': {
    reported: [...from(...rows, ...tables, ...standIns), ...types('drizzle-orm')],
    passed: from('hono', '../http/problem.ts', '../jobs/read-job.ts', '../billing/change.ts'),
  },
  'functions/routes/below/a.ts': {
    reported: from('../../../schema.ts', '../../../db/client.ts', '../../../local/stack.ts'),
    passed: from('../../ledger/list-entries.ts', '../request.ts'),
  },
  'functions/http/a.ts': {
    reported: [
      ...from(
        ...rows,
        ...tables,
        ...standIns,
        'stripe',
        '../ledger/post.ts',
        '../jobs/job.pure.ts',
      ),
      ...from('../billing/change.ts', '../stripe/receive.ts'),
    ],
    passed: from('hono', 'jose', '@upstash/redis', '../errors.ts'),
  },
  'functions/stripe/a.ts': {
    reported: from(...http, ...standIns),
    passed: from('stripe', '../ledger/post.ts', '../context.ts', ...rows, ...tables),
  },
  'functions/billing/a.ts': {
    reported: from(...http, ...standIns),
    passed: from('stripe', '../stripe/receive.ts', '../ledger/post.ts', ...tables),
  },
  'functions/users/a.ts': {
    reported: from(...http, ...standIns),
    passed: from('../context.ts', ...rows, ...tables),
  },
  'functions/ledger/a.ts': {
    reported: [
      ...from(...http, ...standIns, ...payments, '../billing/change.ts', '../jobs/job.pure.ts'),
      ...types('stripe', '../stripe/shapes.pure.ts', '../billing/change.ts', 'hono'),
      "import { type X, x } from '../billing/change.ts';",
      "export { x as y } from '../billing/change.ts';",
      "export * from '../billing/change.ts';",
      "import '../billing/change.ts';",
      "void import('../billing/change.ts');",
      ...from('../billing'),
    ],
    passed: from('../users/ensure.ts', '../errors.ts', './facts.pure.ts', ...rows, ...tables),
  },
  'functions/jobs/a.ts': {
    reported: from(...http, ...standIns, ...payments, '../billing/change.ts'),
    passed: from('../ledger/post.ts', '../users/ensure.ts', './job.pure.ts', ...effects, ...tables),
  },
  'functions/clients/a.ts': {
    reported: from(...http, ...standIns),
    passed: from('stripe', '@upstash/redis', '../errors.ts'),
  },
  'functions/processing/a.ts': {
    reported: from(...http, ...payments, ...standIns, '../jobs/dispatch-job.ts'),
    passed: from('../providers/model.ts', '../csv/columns.pure.ts', '../ledger/due.ts'),
  },
  'functions/notifications/a.ts': {
    reported: from(...http, ...payments, ...standIns, '../jobs/read-job.ts', '../billing/a.ts'),
    passed: from('../context.ts', '../shared/time.pure.ts', ...rows, ...tables),
  },
  'functions/providers/a.ts': {
    reported: [
      ...from(...http, ...standIns, ...payments, '../processing/processor.ts', '../ledger/due.ts'),
      ...types('../processing/processor.ts', '../jobs/job-row.ts'),
    ],
    passed: from('../shared/time.pure.ts', '../context.ts'),
  },
  'functions/shared/a.ts': {
    reported: from(...http, ...standIns, '../processing/chunk.pure.ts', '../csv/columns.pure.ts'),
    passed: from('./time.pure.ts'),
  },
  // Files for which several rules hold at once: none may replace another.
  'functions/jobs/a.pure.ts': {
    reported: from(...http, ...standIns, ...payments, ...effects, ...context, ...rows, ...tables),
    passed: [...from('./chunk.pure.ts', 'papaparse'), ...types('../context.ts', 'drizzle-orm')],
  },
  'functions/processing/below/a.pure.ts': {
    reported: from('../../http/problem.ts', '../../billing/change.ts', '../../clients/redis.ts'),
    passed: from('../chunk.pure.ts', './text.pure.ts'),
  },
  'functions/ledger/a.pure.ts': {
    reported: [
      ...from(...http, ...standIns, ...payments, ...effects, ...context, ...rows, ...tables),
      ...from('../billing/catalogue.pure.ts', '../jobs/chunk.pure.ts', '../stripe/a.pure.ts'),
      ...types('stripe', '../jobs/chunk.pure.ts'),
    ],
    passed: [...from('./facts.pure.ts', '../shared/time.pure.ts'), ...types('../../schema.ts')],
  },
  'functions/billing/a.pure.ts': {
    reported: from(...http, ...standIns, ...effects, ...context, 'stripe', ...rows, ...tables),
    passed: [...from('../stripe/shapes.pure.ts', '../errors.ts'), ...types('stripe')],
  },
  'functions/routes/a.pure.ts': {
    reported: [...from(...rows, ...tables, ...standIns, ...effects), ...types('drizzle-orm')],
    passed: [...from('../jobs/job.pure.ts'), ...types('hono', '../context.ts')],
  },
  'functions/csv/a.ts': {
    reported: from(...hono, ...standIns, ...effects, ...context, ...rows, ...tables, 'stripe'),
    passed: [...from('./reader.pure.ts', '../errors.ts', 'papaparse'), ...types('../context.ts')],
  },
  'functions/errors.ts': {
    reported: from(
      'hono',
      './clients/redis.ts',
      './context.ts',
      '../db/client.ts',
      '../local/a.ts',
    ),
    passed: from('./shared/text.pure.ts'),
  },
  // What a file uses without importing it; a pure file's rule adds to that of all of functions/.
  'functions/jobs/globals.pure.ts': {
    reported: [
      ...uses('process', 'Buffer', '__dirname', '__filename', 'setImmediate', 'fetch', 'caches'),
      ...uses('setTimeout', 'setInterval', 'crypto', 'Date.now()', 'Math.random()'),
    ],
    passed: uses('new Date(0)', 'Math.floor(1)'),
  },
  'functions/jobs/globals.ts': {
    reported: uses('process', 'Buffer', '__dirname', '__filename', 'setImmediate'),
    passed: uses('fetch', 'setTimeout', 'crypto', 'Date.now()'),
  },
  // Outside functions/.
  'functions/a.ts': {
    reported: from('../local/stack.ts'),
    passed: from('hono', '../db/client.ts'),
  },
  'db/a.ts': { reported: from('../local/stack.ts'), passed: from('../functions/errors.ts') },
  'scripts/a.ts': { reported: from('../local/stack.ts'), passed: from('../functions/env.ts') },
  'schema.ts': { reported: from('./local/stack.ts'), passed: from('drizzle-orm/pg-core') },
  'local/stripe/a.ts': {
    reported: from('../../functions/errors.ts', '../../functions/csv/reader.pure.ts'),
    passed: from('../redis/index.ts', 'hono', '../../db/migrate.ts'),
  },
  'tests/unit/a.ts': {
    reported: [],
    passed: from('../../functions/errors.ts', '../../local/stack.ts', '../../schema.ts'),
  },
  'bench/a.ts': { reported: [], passed: from('../functions/errors.ts', '../local/stack.ts') },
};

const linesOf = ({ reported, passed }: Case) => [...reported, ...passed];

describe('lint rules', () => {
  const directory = mkdtempSync(join(tmpdir(), 'rowloom-architecture-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const found = new Map<string, Set<string>>();

  beforeAll(() => {
    const config = resolve('oxlint.config.ts');
    writeFileSync(join(directory, 'oxlint.config.ts'), `export { default } from '${config}';\n`);
    for (const [file, each] of Object.entries(cases)) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), linesOf(each).join('\n'));
    }
    const oxlint = resolve('node_modules/oxlint/bin/oxlint');
    const options = { cwd: directory, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 } as const;
    const { stdout } = spawnSync(process.execPath, [oxlint, '--format=json'], options);
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: {
        message: string;
        code?: string;
        filename: string;
        labels: { span: { line: number } }[];
      }[];
    };
    for (const { message, code, filename, labels } of diagnostics) {
      if (code === undefined) throw new Error(`${filename} was not read: ${message}`);
      if (!code.includes('no-restricted')) continue;
      const each = cases[filename];
      const line = each && linesOf(each)[(labels[0]?.span.line ?? 0) - 1];
      found.set(filename, (found.get(filename) ?? new Set()).add(String(line)));
    }
  });

  test.each(Object.entries(cases))('%s', (file, { reported }) => {
    expect([...(found.get(file) ?? [])].toSorted()).toEqual(reported.toSorted());
  });

  test('know every folder of functions/', () => {
    const folders = globSync('functions/*/').map((path) => path.split('/')[1] ?? '');
    expect(folders.filter((folder) => !(folder in rooms))).toEqual([]);
  });

  test('are set aside only with a reason', () => {
    const aside = globSync('functions/**/*.ts').flatMap((file) =>
      (readFileSync(file, 'utf8').match(/.*oxlint-disable.*no-restricted.*/g) ?? []).map(
        (line) => `${file}: ${line.trim()}`,
      ),
    );
    if (aside.length > 0) console.log(`Set aside:\n${aside.join('\n')}`);
    expect(aside.filter((line) => !/ -- \w.{20}/.test(line))).toEqual([]);
  });
});

const isPure = (path: string) => pureFiles.some((pattern) => matchesGlob(path, pattern));
const sayAll = (imports: Import[]) => imports.map((each) => `${each.file} imports ${each.from}`);
const impure = (imports: Import[]) =>
  imports.filter(
    ({ file, from, isType }) =>
      isPure(file) && !isType && !isPure(from) && !purePackages.includes(from),
  );

describe('pure files', () => {
  test('import as values only what is pure', () => {
    expect(sayAll(impure(productImports()))).toEqual([]);
  });

  test('are caught if they do not', () => {
    const text = `
      import { a } from './store.ts';
      import { type B, b } from './store.ts';
      import './store.ts';
      export { c } from './store.ts';
      export * from './store.ts';
      const d = import('./store.ts');
      import e from 'some-package';
      import { f } from './chunk.pure.ts';
      import { g } from '../errors.ts';
      import h from 'papaparse';
      import { i } from './csv/limits.pure.ts';
      import type { J } from './store.ts';
      import { type K } from './store.ts';
      export type { L } from './store.ts';`;
    const six = Array.from({ length: 6 }, () => 'functions/jobs/store.ts');
    for (const file of ['functions/jobs/a.pure.ts', 'functions/jobs/below/../a.pure.ts'])
      expect(
        impure(importsOf(file, text))
          .map((each) => each.from)
          .toSorted(),
        file,
      ).toEqual([...six, 'some-package'].toSorted());
    expect(impure(importsOf('functions/jobs/a.ts', text))).toEqual([]);
  });
});

describe('rooms', () => {
  test('do not import each other in a circle', () => {
    expect(sayAll(circular(productImports()))).toEqual([]);
  });

  test('are caught if they do, over other rooms and by types too', () => {
    const tree = {
      'functions/a/one.ts': "import { x } from '../b/deep/one.ts'; import { y } from './two.ts';",
      'functions/b/two.ts': "import type { X } from '../c.ts'; import { y } from '../d/one.ts';",
      'functions/c.ts': "export { x } from './a/two.ts';",
      'functions/d/one.ts': "import { x } from './two.ts'; import { y } from '../e/one.ts';",
      'functions/d/two.ts': "import { x } from './one.ts';",
    };
    const imports = Object.entries(tree).flatMap(([file, text]) => importsOf(file, text));
    expect(sayAll(circular(imports))).toEqual([
      'functions/a/one.ts imports functions/b/deep/one.ts',
      'functions/b/two.ts imports functions/c.ts',
      'functions/c.ts imports functions/a/two.ts',
    ]);
  });
});

const keyLocked = /^#!lua flags=(?:[a-z-]+,)*allow-key-locking(?:,[a-z-]+)*(?:\n|\\n)/;

/** Scripts in a file that would take the global lock; one may begin with another of the same file. */
function scriptsUnderGlobalLock(text: string): string[] {
  const constants = new Map(
    [...text.matchAll(/const (\w+) = `([^`]*)`/g)].map(([, name = '', script = '']) => [
      '${' + name + '}',
      script,
    ]),
  );
  const whole = (script: string): string =>
    script.replace(/^\$\{\w+\}/, (start) => constants.get(start) ?? start);
  const literals = text.match(/`[^`]*`|'[^'\n]*'|"[^"\n]*"/g) ?? [];
  return literals
    .map((literal) => literal.slice(1, -1))
    .filter((script) => /redis\.p?call\(/.test(script) && !keyLocked.test(whole(script)));
}

describe('scripts for Redis', () => {
  const files = globSync('functions/**/*.ts').map((file) => readFileSync(file, 'utf8'));

  test('lock their own keys alone', () => {
    expect(files.flatMap(scriptsUnderGlobalLock)).toEqual([]);
    // There is one to look at.
    expect(files.filter((text) => text.includes('allow-key-locking'))).not.toEqual([]);
  });

  test('are caught if they do not', () => {
    const flag = '#!lua flags=allow-key-locking';
    const body = 'return redis.call("GET", KEYS[1])';
    for (const script of [`\n${body}`, `#!lua\n${body}`, ` ${flag}\n${body}`, `${flag} ${body}`])
      expect(scriptsUnderGlobalLock(`redis.eval(\`${script}\`)`), script).toHaveLength(1);
    expect(scriptsUnderGlobalLock(`redis.eval('${body}', [])`)).toHaveLength(1);
    const composed = 'export const take = `${read}\nredis.call("SET", KEYS[1])`;';
    expect(scriptsUnderGlobalLock(composed)).toHaveLength(1);
    expect(scriptsUnderGlobalLock(`const read = \`local n = 1\`; ${composed}`)).toHaveLength(1);
    for (const script of [`${flag}\n${body}`, `#!lua flags=no-writes,allow-key-locking\n${body}`])
      expect(scriptsUnderGlobalLock(`const read = \`${script}\`; ${composed}`)).toEqual([]);
    expect(scriptsUnderGlobalLock("redis.get('key')")).toEqual([]);
  });
});
