import { Hono } from 'hono';
import { listen } from '../../local/support/http.ts';

type Message = { role: string; content: string };
type Body = { q?: string; messages?: Message[] };

/** Stands before search and model, and keeps what they are asked: queries, and prompts as one text. */
export async function startAskedProviders() {
  const searched: string[] = [];
  const prompted: string[] = [];
  let target = '';
  let held: { after: number; until: Promise<void> } | undefined;
  const app = new Hono().post('*', async (c) => {
    const text = await c.req.text();
    const { q, messages } = JSON.parse(text) as Body;
    if (q !== undefined) searched.push(q);
    if (messages) prompted.push(messages.map(({ content }) => content).join('\n\n'));
    if (messages && held && prompted.length > held.after) await held.until;
    const names = ['authorization', 'content-type', 'x-api-key'];
    const headers = names.map((name): [string, string] => [name, c.req.header(name) ?? '']);
    const {
      body,
      status,
      headers: told,
    } = await fetch(target + new URL(c.req.url).pathname, {
      method: 'POST',
      headers,
      body: text,
    });
    return new Response(body, {
      status,
      headers: { 'content-type': told.get('content-type') ?? '' },
    });
  });
  const { url, close } = await listen(app);
  return {
    /** For `startRig`. */
    env: { SERPER_BASE_URL: `${url}/serper`, LLM_BASE_URL: `${url}/openai/v1` },
    searched,
    prompted,
    /** Who answers: `rig.providers`. */
    answerBy: (providers: { url: string }): void => {
      target = providers.url;
    },
    /** Leaves all prompts but the first `after` without an answer, until they are released. */
    holdAfter: (after: number): (() => void) => {
      const { promise: until, resolve: release } = Promise.withResolvers<void>();
      held = { after, until };
      return release;
    },
    close,
  };
}
