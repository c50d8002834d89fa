import { afterAll, beforeAll, expect, test } from 'vitest';
import { processors } from '../../functions/processing/processors.ts';
import { createRowTools } from '../../functions/processing/create-row-tools.ts';
import { createConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { deadlineIn, rowCtx } from '../support/rows.ts';
import { quiet } from './providers-client.ts';

let providers: Providers;
beforeAll(async () => {
  providers = await startProviders(quiet);
});
afterAll(() => providers.close());

const header = ['company', 'city'];
const row = ['Zürich Widgets', 'Basel'];

async function work(name: string) {
  const processor = processors.get(name);
  if (!processor) throw new Error(`no processor ${name}`);
  const ctx = rowCtx({ SERPER_BASE_URL: providers.serperUrl, LLM_BASE_URL: providers.llmUrl });
  const { tools } = createRowTools(ctx, createConnectionLimiter(), deadlineIn(10_000));
  const cells = await processor.process({ header, row, prompt: processor.defaultPrompt, tools });
  return { cells, columns: processor.outputColumns };
}

test.each([...processors.keys()])('%s gives a cell for each of its columns', async (name) => {
  const { cells, columns } = await work(name);
  expect(cells).toHaveLength(columns.length);
  for (const cell of cells) expect(cell).toMatch(/\w/);
});

test('an e-mail addresses the company of the row and rests on what was found', async () => {
  const { cells } = await work('research_email');
  expect(cells[0]).toContain('Zürich Widgets');
  expect(cells[1]).toMatch(/^Hello Zürich Widgets[\s\S]+Basel[\s\S]+Kind regards/);
});

test('a class is one of those that the prompt names', async () => {
  const names = processors
    .get('classify')
    ?.defaultPrompt.replace(/^.*One of: /, '')
    .replace(/\.$/, '')
    .split(', ');
  const { cells } = await work('classify');
  expect(names).toContain(cells[0]);
});
