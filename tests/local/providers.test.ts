import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import { clientOf, prompt, quiet, refOf } from './providers-client.ts';

type Chunk = {
  id: string;
  object: string;
  choices: {
    delta: { role?: string; content?: string };
    finish_reason: string | null;
  }[];
  usage?: { total_tokens: number } | null;
};

/** Reads a whole stream by hand, as a client without an SDK would. */
async function readStream(response: Response) {
  const text = await response.text();
  const data = text
    .split('\n\n')
    .filter(Boolean)
    .map((event) => event.replace(/^data: /, ''));
  const done = data.at(-1) === '[DONE]';
  const chunks = data.filter((d) => d !== '[DONE]').map((d) => JSON.parse(d) as Chunk);
  const content = chunks.map((c) => c.choices[0]?.delta.content ?? '').join('');
  return { chunks, content, done };
}

const answerOf = async (response: Response) =>
  (await response.json()) as {
    object: string;
    choices: { message: { content: string }; finish_reason: string }[];
    usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
  };

const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { message: string; param: unknown; code: unknown } }).error;

let providers: Providers;
const { set, search, complete } = clientOf(() => providers);

beforeAll(async () => {
  providers = await startProviders();
});
afterAll(() => providers.close());
beforeEach(async () => {
  providers.faults.clear();
  await set(quiet);
});

describe('search', () => {
  it('answers in Serper’s form, the same for the same query, another for another', async () => {
    const ask = async (q: string) => (await search({ q, gl: 'us' })).json();
    const [first, again, other] = [await ask('"3M" news'), await ask('"3M" news'), await ask('X')];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    expect(first).toMatchObject({
      searchParameters: { q: '"3M" news', gl: 'us', type: 'search' },
      knowledgeGraph: { title: '3M' },
      credits: 1,
    });
    const { organic } = first as { organic: Record<string, unknown>[] };
    expect(organic).toHaveLength(10);
    expect(organic.map((result) => result['position'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const result of organic) {
      expect(result['title']).toContain('3M');
      expect(result['snippet']).toContain('3M');
      expect(result['link']).toContain(`ref=${refOf('"3M" news')}`);
    }
  });

  it('keeps to num and page, and shows no knowledge graph for plain words', async () => {
    const page = async (n: number) =>
      (await (await search({ q: 'how to fold paper', num: 3, page: n })).json()) as {
        organic: { link: string }[];
        knowledgeGraph?: unknown;
      };
    const [one, two] = [await page(1), await page(2)];
    expect(one.organic).toHaveLength(3);
    expect(one.knowledgeGraph).toBeUndefined();
    expect(two.organic.map((r) => r.link)).not.toEqual(one.organic.map((r) => r.link));
  });

  it('refuses a missing key with 403 and a bad query with 400', async () => {
    const noKey = await search({ q: 'x' }, '');
    expect(noKey.status).toBe(403);
    expect(await noKey.json()).toEqual({ message: 'Unauthorized.', statusCode: 403 });
    expect((await search({ q: 'x' }, 'invalid-key')).status).toBe(403);
    for (const bad of [{}, { q: '' }, { q: 7 }, { q: 'x', nmu: 3 }, { q: 'x', num: 0 }, '{', '[]'])
      expect((await search(bad)).status, JSON.stringify(bad)).toBe(400);
    expect((await fetch(`${providers.serperUrl}/images`)).status).toBe(404);
  });

  it('always fails on FAIL_SEARCH, whatever the completion does', async () => {
    expect((await search({ q: 'Acme FAIL_SEARCH' })).status).toBe(500);
    expect((await search({ q: 'Acme FAIL_SEARCH' })).status).toBe(500);
    expect((await complete(prompt('FAIL_SEARCH'))).status).toBe(200);
  });
});

describe('completions', () => {
  const text =
    'Company: Zürich Widgets\nname: Ada Müller\ncity: Basel\nResearch:\n- It opened a site';

  it('writes a letter that addresses the row, with its reference', async () => {
    const first = await answerOf(await complete(prompt(text)));
    expect(first.object).toBe('chat.completion');
    const letter = first.choices[0]?.message.content ?? '';
    for (const detail of ['Zürich Widgets', 'Ada Müller', 'Basel', 'It opened a site'])
      expect(letter).toContain(detail);
    expect(letter.endsWith(`(ref ${refOf(text)})`)).toBe(true);
    expect(first.choices[0]?.finish_reason).toBe('stop');
    expect(first.usage.total_tokens).toBe(
      first.usage.prompt_tokens + first.usage.completion_tokens,
    );
    const again = await answerOf(await complete(prompt(text)));
    expect(again.choices).toEqual(first.choices);
    const other = await answerOf(await complete(prompt('Company: Other')));
    expect(other.choices[0]?.message.content).not.toContain('Zürich');
  });

  it('reads details from JSON and from columns it does not know', async () => {
    const ask = async (content: string) =>
      (await answerOf(await complete(prompt(content)))).choices[0]?.message.content;
    const json = JSON.stringify({
      Security: 'A. O. Smith',
      'GICS Sector': 'Industrials',
      x: 'a"b',
    });
    expect(await ask(`Lead: see below\n${json}`)).toContain('A. O. Smith');
    expect(await ask(json)).toContain('Industrials');
    expect(await ask('Shoe size: 44')).toContain('shoe size: 44');
  });

  it('fills a form that the prompt shows, and chooses from what it names', async () => {
    const ask = async (content: string) =>
      (await answerOf(await complete(prompt(content)))).choices[0]?.message.content ?? '';
    const form = 'Answer {"label": "…", "why": "…"}.\nCompany: Zürich Widgets\nIndustry: Toys';
    const chosen = JSON.parse(await ask(`One of: red, green or blue. ${form}`)) as object;
    expect(chosen).toEqual({
      label: expect.stringMatching(/^(red|green|blue)$/),
      why: expect.stringContaining('Zürich Widgets'),
    });
    expect(JSON.parse(await ask(form))).toMatchObject({ label: 'Toys' });
    expect(await ask('Company: ACME\nnote: {"label": "x"}')).toMatch(/^Hello/);
  });

  it('streams the same letter in several chunks, then usage, then [DONE]', async () => {
    const plain = await answerOf(await complete(prompt(text)));
    const response = await complete(
      prompt(text, { stream: true, stream_options: { include_usage: true } }),
    );
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const { chunks, content, done } = await readStream(response);
    expect(content).toBe(plain.choices[0]?.message.content);
    expect(done).toBe(true);
    expect(chunks.length).toBeGreaterThan(4);
    expect(new Set(chunks.map((c) => `${c.id} ${c.object}`)).size).toBe(1);
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: plain.usage });
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    const reasons = chunks.slice(0, -2).map((c) => c.choices[0]?.finish_reason);
    expect(reasons.every((reason) => reason === null)).toBe(true);
  });

  it('keeps to max_tokens, stop and response_format', async () => {
    const ask = async (extra: object, content = text) =>
      (await answerOf(await complete(prompt(content, extra)))).choices[0];
    const short = await ask({ max_completion_tokens: 3 });
    expect(short?.finish_reason).toBe('length');
    expect(short?.message.content.split(/\s+/)).toHaveLength(3);
    const stopped = await ask({ stop: ['Kind regards'] });
    expect(stopped?.message.content).not.toContain('Kind regards');
    const format = {
      type: 'json_schema',
      json_schema: { name: 'mail', schema: { properties: { body: { type: 'string' } } } },
    };
    const json = await ask({ response_format: format });
    expect(Object.keys(JSON.parse(json?.message.content ?? '') as object)).toEqual(['body']);
    expect((await complete(prompt('x', { response_format: { type: 'json_object' } }))).status).toBe(
      400,
    );
  });

  it('refuses in OpenAI’s form', async () => {
    const noKey = await complete(prompt('x'), '');
    expect(noKey.status).toBe(401);
    expect((await errorOf(noKey)).message).toContain("You didn't provide an API key");
    const badKey = await complete(prompt('x'), 'invalid');
    expect([badKey.status, (await errorOf(badKey)).code]).toEqual([401, 'invalid_api_key']);
    const missing = await complete(prompt('x', { model: 'no-such-model' }));
    expect([missing.status, (await errorOf(missing)).code]).toEqual([404, 'model_not_found']);
    const refused: [unknown, string][] = [
      ['{', 'parse'],
      [prompt('x', { temprature: 1 }), 'Unrecognized request argument supplied: temprature'],
      [prompt('x', { temperature: 3 }), 'Expected a value <= 2'],
      [prompt('x', { stream: 'yes' }), "Invalid type for 'stream'"],
      [prompt('x', { tools: [] }), 'does not support'],
      [prompt('x', { stream_options: {} }), 'only allowed when'],
      [{ messages: [] }, 'you must provide a model'],
      [{ model: 'm' }, "Missing required parameter: 'messages'"],
      [{ model: 'm', messages: [] }, 'empty array'],
      [{ model: 'm', messages: [{ role: 'boss', content: 'x' }] }, "Invalid value: 'boss'"],
      [{ model: 'm', messages: [{ role: 'user', content: 7 }] }, "Invalid value for 'content'"],
    ];
    for (const [body, message] of refused) {
      const response = await complete(body);
      expect(response.status, message).toBe(400);
      expect((await errorOf(response)).message).toContain(message);
    }
  });

  it('lists models', async () => {
    const headers = { authorization: 'Bearer k' };
    const response = await fetch(`${providers.llmUrl}/models`, { headers });
    expect(await response.json()).toMatchObject({ object: 'list' });
    expect((await fetch(`${providers.llmUrl}/models`)).status).toBe(401);
  });
});
