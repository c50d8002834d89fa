import type { RowInput } from './processor.ts';
import { oneLine } from './lead.pure.ts';
import { refuseUnlessOk, withRetries } from './retry.ts';

const timeoutMs = 15_000;
const longestSummary = 2000;

type SerperAnswer = {
  knowledgeGraph?: { title?: string; type?: string; description?: string };
  organic?: { title?: string; snippet?: string }[];
};

/** The answer in a few lines: what the search engine knows, then the first results. */
export function summarise(answer: SerperAnswer): string {
  const graph = answer.knowledgeGraph;
  const known = graph
    ? [graph.title, graph.type, graph.description].filter(Boolean).join(' – ')
    : '';
  const found = (answer.organic ?? [])
    .slice(0, 4)
    .map((hit) => [hit.title, hit.snippet].filter(Boolean).join(': '));
  return [known, ...found]
    .filter((line) => line !== '')
    .map((line) => oneLine(line))
    .join('\n')
    .slice(0, longestSummary);
}

/** Searches the web. Source: serper.dev (POST /search) */
export const search = (input: RowInput, query: string): Promise<string> =>
  withRetries('Search', () =>
    input.fetch(
      `${input.config.search.baseUrl}/search`,
      {
        method: 'POST',
        headers: { 'x-api-key': input.config.search.apiKey, 'content-type': 'application/json' },
        body: JSON.stringify({ q: query, num: 5 }),
      },
      timeoutMs,
      async (response) => {
        refuseUnlessOk('Search', response);
        const answer: SerperAnswer = await response.json();
        return summarise(answer);
      },
    ),
  );
