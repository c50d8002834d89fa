import type { Config } from '../env.ts';
import { ProviderError } from './errors.pure.ts';
import type { ProviderCall } from './call-provider.ts';
import type { Findings } from './research.ts';
import { oneLine } from '../shared/text.pure.ts';

/** One try, from the moment it has its slot. */
const timeoutMs = 12_000;
const longestSummary = 2000;
const longestLine = 500;
/** A line that has less room than this says nothing. */
const shortestLine = 60;
const mostHits = 4;
const longestSource = 500;

type SerperHit = { title?: unknown; snippet?: unknown; link?: unknown };
type SerperAnswer = {
  knowledgeGraph?: {
    title?: unknown;
    type?: unknown;
    description?: unknown;
    descriptionLink?: unknown;
  } | null;
  organic?: (SerperHit | null)[] | null;
};

const joined = (parts: unknown[], by: string): string =>
  parts.filter((part) => typeof part === 'string' && part !== '').join(by);

/** What looks like a citation of ours in a text of another's, such as an encyclopaedia's. */
const citations = /\s*\[\d{1,3}\]/g;

/** An address that a user may open: https, without credentials, at most 500 characters. */
function sourceAt(link: unknown): string | undefined {
  if (typeof link !== 'string' || !URL.canParse(link)) return undefined;
  const { protocol, username, password, href, origin, pathname } = new URL(link);
  if (protocol !== 'https:' || username !== '' || password !== '') return undefined;
  return [href, origin + pathname].find(({ length }) => length <= longestSource);
}

/** Whether what a hit says may stand without a citation: it has no address, or a plain one. */
const mayBeUncited = (link: unknown): boolean =>
  link === undefined || (typeof link === 'string' && /^http:\/\/[^@]*$/i.test(link));

/**
 * The answer in a few lines, what the search engine knows and the first results: each ends with the number
 * of its source, ` [1]`, if that has an https address. A result with an address of another kind is left out.
 */
export function findingsIn(answer: SerperAnswer): Findings {
  const graph = answer.knowledgeGraph;
  const hits = Array.isArray(answer.organic) ? answer.organic : [];
  const told = [
    {
      text: joined([graph?.title, graph?.type, graph?.description], ' – '),
      source: sourceAt(graph?.descriptionLink),
    },
    ...hits
      .map((hit) => ({
        text: joined([hit?.title, hit?.snippet], ': '),
        source: sourceAt(hit?.link),
        link: hit?.link,
      }))
      .filter(({ source, link }) => source !== undefined || mayBeUncited(link))
      .slice(0, mostHits),
  ];
  const lines: string[] = [];
  const sources: string[] = [];
  let left = longestSummary;
  for (const { text, source } of told) {
    const number = (source !== undefined && sources.indexOf(source) + 1) || sources.length + 1;
    const mark = source === undefined ? '' : ` [${number}]`;
    const longest = Math.min(longestLine, left) - mark.length;
    const line = longest < shortestLine ? '' : oneLine(text.replace(citations, ''), longest);
    if (line === '') continue;
    lines.push(line + mark);
    left -= line.length + mark.length + 1;
    if (source !== undefined) sources[number - 1] = source;
  }
  return { summary: lines.join('\n'), sources };
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

/** One search of the web → what it has found. Source: serper.dev (POST /search) */
export const searchWeb = (
  config: Config['search'],
  call: ProviderCall,
  text: string,
): Promise<Findings> =>
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
      return findingsIn(await readAnswer(response));
    },
    call.check,
  );
