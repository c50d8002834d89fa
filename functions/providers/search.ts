import type { Config } from '../env.ts';
import { ProviderError } from './errors.pure.ts';
import type { ProviderCall } from './call-provider.ts';
import { cleanText, oneLine } from '../shared/text.pure.ts';

/** One try, from the moment it has its slot. */
const timeoutMs = 12_000;
const longestSummary = 2000;
const longestLine = 500;

type SerperAnswer = {
  knowledgeGraph?: { title?: unknown; type?: unknown; description?: unknown } | null;
  organic?: ({ title?: unknown; snippet?: unknown } | null)[] | null;
};

const joined = (parts: unknown[], by: string): string =>
  parts.filter((part) => typeof part === 'string' && part !== '').join(by);

/** The answer in a few lines: what the search engine knows, then the first results. */
export function summarise(answer: SerperAnswer): string {
  const graph = answer.knowledgeGraph;
  const known = joined([graph?.title, graph?.type, graph?.description], ' – ');
  const hits = Array.isArray(answer.organic) ? answer.organic : [];
  const found = hits.slice(0, 4).map((hit) => joined([hit?.title, hit?.snippet], ': '));
  const lines = [known, ...found].map((line) => oneLine(line, longestLine));
  return cleanText(lines.filter((line) => line !== '').join('\n'), longestSummary);
}

async function readAnswer(response: Response): Promise<SerperAnswer> {
  const text = await response.text();
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = undefined;
  }
  if (typeof answer === 'object' && answer !== null) return answer;
  throw new ProviderError('Search gave no readable answer', 'retryable');
}

/** One search of the web → its summary, empty when nothing was found. Source: serper.dev (POST /search) */
export const searchWeb = (
  config: Config['search'],
  call: ProviderCall,
  text: string,
): Promise<string> =>
  call.fetch(
    `${config.baseUrl}/search`,
    {
      method: 'POST',
      headers: { 'x-api-key': config.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ q: text, num: 5 }),
      redirect: 'manual',
      signal: call.signal,
    },
    timeoutMs,
    async (response) => {
      await call.accept(response);
      return summarise(await readAnswer(response));
    },
    call.check,
  );
