import type { Api, Job } from './api.ts';
import { count, type Screen } from './screen.ts';

type Preview = {
  encoding: string;
  delimiter: string;
  rowsTotal: number;
  emptyRows: number;
  duplicateRows: number;
  research: { columns: string[]; queries: (string | null)[] };
  cost: { credits: number; balance: number };
  warnings: string[];
};

type Item = {
  index: number;
  status: string;
  error: string | null;
  output: Record<string, string> | null;
};

const sampleRows = 3;
const shownQueries = 5;

const sender = {
  name: 'Ada Byron',
  role: 'Founder',
  company: 'Analytical Engines Ltd',
  website: 'https://analytical.example',
  offer:
    'We take over the monthly reporting of finance teams: two days of work become ten minutes.',
  signature: 'Ada Byron\nAnalytical Engines Ltd · https://analytical.example',
};

/** Says who writes the mails. */
export async function introduce({ api, screen }: { api: Api; screen: Screen }): Promise<void> {
  await api.json('PUT', '/v1/me/sender', sender);
  screen.done(`The mails are written for ${sender.name}, ${sender.company}`);
}

const delimiters: Record<string, string> = {
  '\t': 'tab',
  '|': 'bar',
  ',': 'comma',
  ';': 'semicolon',
};

/** Shows what will happen to a job that is ready, and what it costs. */
export async function preview(
  { api, screen }: { api: Api; screen: Screen },
  id: string,
): Promise<void> {
  const seen = await api.json<Preview>('GET', `/v1/jobs/${id}/preview`);
  const { research, cost, rowsTotal, emptyRows, duplicateRows } = seen;
  const separated = delimiters[seen.delimiter] ?? seen.delimiter;
  screen.done(
    `Looked at it: ${count(rowsTotal)} rows (${count(emptyRows)} empty, ${count(duplicateRows)} twice), ${seen.encoding}, ${separated}; ${count(cost.credits)} of ${count(cost.balance)} credits`,
  );
  const queries = research.queries.slice(0, shownQueries).map((query) => query ?? '–');
  screen.note(`searches by ${research.columns.join(' + ') || 'nothing'}: ${queries.join(' · ')} …`);
  for (const warning of seen.warnings) screen.note(warning);
}

/** Tries the first rows and shows each mail beside what it rests on. */
export async function tryRows(
  { api, screen }: { api: Api; screen: Screen },
  job: Job,
): Promise<void> {
  const rows = Math.min(sampleRows, job.rows.total);
  screen.begin(`Try ${rows} rows`);
  const begin = performance.now();
  const { items } = await api.json<{ items: Item[] }>('POST', `/v1/jobs/${job.id}/sample`, {
    rows,
  });
  screen.done(`Tried ${rows} rows in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  for (const { index, status, error, output } of items) {
    screen.note('');
    screen.note(
      `Row ${index + 1}: ${status === 'ok' ? (output?.['email_subject'] ?? '') : (error ?? status)}`,
    );
    for (const line of (output?.['email_body'] ?? '').split('\n')) screen.note(`  │ ${line}`);
    for (const [i, source] of (output?.['research_sources'] ?? '').split('\n').entries())
      if (source !== '') screen.note(`  [${i + 1}] ${source}`);
  }
  screen.note('');
}
