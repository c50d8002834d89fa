import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startProviders, type Providers } from '../../local/providers/index.ts';
import {
  answerOf,
  clientOf,
  errorOf,
  expectSearchShape,
  expectShape,
  prompt,
  quiet,
  readStream,
  refOf,
} from './providers-client.ts';

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
    expectSearchShape(first);
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
    const company = await (await search({ q: 'Acme', page: 2 })).json();
    expect(company).not.toHaveProperty('knowledgeGraph');
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

  it('writes an e-mail that addresses the row, with its reference', async () => {
    const first = await answerOf(await complete(prompt(text)));
    expect(first.object).toBe('chat.completion');
    const mail = first.content;
    for (const detail of ['Zürich Widgets', 'Ada Müller', 'Basel', 'It opened a site'])
      expect(mail).toContain(detail);
    expect(mail.endsWith(`(ref ${refOf(text)})`)).toBe(true);
    expect(first.choices[0]?.finish_reason).toBe('stop');
    expect(first.usage.total_tokens).toBe(
      first.usage.prompt_tokens + first.usage.completion_tokens,
    );
    const again = await answerOf(await complete(prompt(text)));
    expect(again.choices).toEqual(first.choices);
    const other = await answerOf(await complete(prompt('Company: Other')));
    expect(other.content).not.toContain('Zürich');
  });

  it('reads details from JSON and from columns it does not know', async () => {
    const ask = async (content: string) =>
      (await answerOf(await complete(prompt(content)))).content;
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
      (await answerOf(await complete(prompt(content)))).content;
    const form = 'Answer {"label": "…", "why": "…"}.\nCompany: Zürich Widgets\nIndustry: Toys';
    const chosen = JSON.parse(await ask(`One of: red, green or blue. ${form}`)) as object;
    expect(chosen).toEqual({
      label: expect.stringMatching(/^(red|green|blue)$/),
      why: expect.stringContaining('Zürich Widgets'),
    });
    expect(JSON.parse(await ask(form))).toMatchObject({ label: 'Toys' });
    expect(await ask('Company: ACME\nnote: {"label": "x"}')).toMatch(/^Hello/);
  });

  it('streams the same e-mail in several chunks, then usage, then [DONE]', async () => {
    const plain = await answerOf(await complete(prompt(text)));
    const response = await complete(
      prompt(text, { stream: true, stream_options: { include_usage: true } }),
    );
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const { chunks, content, done } = await readStream(response);
    expect(content).toBe(plain.content);
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
    const ask = async (extra: object) => answerOf(await complete(prompt(text, extra)));
    const short = await ask({ max_completion_tokens: 3 });
    expect(short.choice.finish_reason).toBe('length');
    expect(short.content.split(/\s+/)).toHaveLength(3);
    expect((await ask({ max_tokens: 3 })).content).toBe(short.content);
    const stopped = await ask({ stop: ['Kind regards'] });
    expect(stopped.content).toContain('Hello');
    expect(stopped.content).not.toContain('Kind regards');
    const json = { response_format: { type: 'json_object' } };
    const mail = await answerOf(await complete(prompt('Answer in JSON', json)));
    expect(Object.keys(JSON.parse(mail.content) as object)).toEqual(['email_body']);
    const refused = await errorOf(await complete(prompt('x', json)));
    expect(refused).toMatchObject({ status: 400, param: 'messages' });
    expect(refused.message).toContain("must contain the word 'json'");
  });

  it('refuses in OpenAI’s form', async () => {
    const noKey = await complete(prompt('x'), '');
    expect(noKey.status).toBe(401);
    expect((await errorOf(noKey)).message).toContain("You didn't provide an API key");
    const badKey = await complete(prompt('x'), 'invalid');
    expect(await errorOf(badKey)).toMatchObject({ status: 401, code: 'invalid_api_key' });
    const missing = await complete(prompt('x', { model: 'no-such-model' }));
    expect(await errorOf(missing)).toMatchObject({ status: 404, code: 'model_not_found' });
    const refused: [unknown, string][] = [
      ['{', 'parse'],
      [prompt('x', { temprature: 1 }), 'Unrecognized request argument supplied: temprature'],
      [prompt('x', { temperature: 3 }), 'Expected a value <= 2'],
      [prompt('x', { stream: 'yes' }), "Invalid type for 'stream'"],
      [prompt('x', { tools: [] }), "does not play 'tools'"],
      [prompt('x', { n: 2 }), "does not play 'n' other than 1"],
      [prompt('x', { logprobs: true }), "does not play 'logprobs'"],
      [prompt('x', { stream_options: {} }), 'only allowed when'],
      [prompt('x', { stream: true, stream_options: { usage: true } }), 'stream_options.usage'],
      [prompt('x', { reasoning_effort: 'none' }), "does not support 'none'"],
      [prompt('x', { model: 'm', reasoning_effort: 'low' }), 'argument supplied: reasoning_effort'],
      ['[]', 'Invalid type: expected an object, but got an array instead.'],
      ['null', 'Invalid type: expected an object, but got null instead.'],
      ['7', 'Invalid type: expected an object, but got an integer instead.'],
      [prompt('x', { n: '2' }), "Invalid type for 'n': expected an integer, but got a string"],
      [prompt('x', { seed: 1.5 }), 'expected an integer, but got a decimal number instead.'],
      [prompt('x', { top_p: 'wide' }), "Invalid type for 'top_p': expected a decimal, but got a"],
      [{ model: 'm', messages: 'ping' }, 'expected an array of objects, but got a string instead.'],
      [
        { model: 'm', messages: [null] },
        "Invalid type for 'messages[0]': expected an object, but got null instead.",
      ],
      [
        prompt('x', { response_format: { type: 'yaml' } }),
        "'yaml'. Supported values are: 'json_object', 'json_schema', and 'text'.",
      ],
      ['{"__proto__":{"n":1},"model":"m","messages":[{"role":"user","content":"x"}]}', '__proto__'],
      [{ messages: [] }, 'you must provide a model'],
      [{ model: 'm' }, "Missing required parameter: 'messages'"],
      [{ model: 'm', messages: [] }, 'empty array'],
      [{ model: 'm', messages: [{ role: 'boss', content: 'x' }] }, "Invalid value: 'boss'"],
      [
        { model: 'm', messages: [{ role: 'user', content: 7 }] },
        "Invalid type for 'messages[0].content'",
      ],
      [{ model: 'm', messages: [{ role: 'user', content: 'x', id: 1 }] }, "'messages[0].id'"],
      [{ model: 'm', messages: [{ role: 'user' }] }, "parameter: 'messages[0].content'"],
    ];
    for (const [body, message] of refused) {
      const error = await errorOf(await complete(body));
      expect(error.status, message).toBe(400);
      expect(error.message).toContain(message);
    }
    const low = await errorOf(await complete(prompt('x', { n: 0 })));
    const high = await errorOf(await complete(prompt('x', { temperature: 2.5 })));
    expect([low.code, high.code]).toEqual(['integer_below_min_value', 'decimal_above_max_value']);
  });

  it('refuses schemas that are none, and takes names that every object has', async () => {
    const named = (schema: string) =>
      `{"model":"m","messages":[{"role":"user","content":"JSON"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":${schema}}}}`;
    const deep = `${'{"type":"object","properties":{"a":'.repeat(5000)}{}${'}}'.repeat(5000)}`;
    const bad = ['{"type":"object","properties":{"a":null}}', deep].concat(
      '{"type":"object","properties":{"a":{"type":"integer","minimum":{"valueOf":1,"toString":1}}}}',
    );
    for (const schema of bad) {
      const error = await errorOf(await complete(named(schema)));
      expect(error).toMatchObject({ status: 400, param: 'response_format' });
    }
    const properties = '{"__proto__":{"type":"null"},"constructor":{"type":"integer"}}';
    const good = await complete(named(`{"type":"object","properties":${properties}}`));
    expect((await answerOf(good)).content).toBe('{"__proto__":null,"constructor":1}');
    const form = String.raw`Answer with {"a\q": "…"} or {"__proto__": "…"}`;
    expect((await answerOf(await complete(prompt(form)))).content).toMatch(/^\{"__proto__":"/);
  });

  it('lists models', async () => {
    const headers = { authorization: 'Bearer k' };
    const response = await fetch(`${providers.llmUrl}/models`, { headers });
    const list = (await response.json()) as { data: { id: string }[] };
    expectShape('openai', 'models', list);
    expect(list.data.map(({ id }) => id)).toContain('openai/gpt-oss-120b');
    expect((await fetch(`${providers.llmUrl}/models`)).status).toBe(401);
  });
});
