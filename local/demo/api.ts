/** An answer that is no success: `problem+json`, told as the API tells it. */
class ApiError extends Error {
  readonly status: number;
  readonly code: string | undefined;
  constructor(status: number, problem: Record<string, unknown>) {
    const line = typeof problem['line'] === 'number' ? `line ${problem['line']}` : undefined;
    const parts = [problem['detail'] ?? problem['title'], line, problem['reason']];
    const told = parts.filter((part) => typeof part === 'string' && part !== '');
    super(`${status} ${told.join(' · ') || 'without a reason'}`);
    this.status = status;
    this.code = typeof problem['code'] === 'string' ? problem['code'] : undefined;
  }
}

/** Credits of a user. */
export type Me = {
  id: string;
  email: string;
  credits: { balance: number; plan: number; bonus: number; purchased: number; held: number };
};

/** Why a job does not go on: a provider, what is the matter with it, and when it said to come back. */
export type Waiting = { provider: string; reason: string; until: string | null };

/** A job as the API shows it. */
export type Job = {
  id: string;
  status: string;
  rows: { total: number; done: number; succeeded: number; failed: number };
  credits: { held: number; charged: number; released: number };
  etaSeconds: number | null;
  waiting: Waiting | null;
  error: unknown;
};

/** What is for sale. */
export type Offer = { key: string; name: string; amount: number; currency: string };
export type Plan = Offer & { credits: number | 'unlimited'; interval: string };
export type Pack = Offer & { credits: number };

/** The Worker's API, as a frontend would call it. */
export type Api = {
  send: (
    method: string,
    path: string,
    body?: string | ReadableStream,
    type?: string,
  ) => Promise<Response>;
  json: <T>(method: string, path: string, body?: unknown) => Promise<T>;
};

/** A client with the user's token. Both calls throw `ApiError` for an answer above 299. */
export function apiClient(base: string, token: string): Api {
  const send: Api['send'] = async (method, path, body, type = 'application/json') => {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers['content-type'] = type;
    const init: RequestInit = { method, headers };
    if (body !== undefined) Object.assign(init, { body, duplex: 'half' });
    const answer = await fetch(path.startsWith('http') ? path : base + path, init);
    if (answer.ok) return answer;
    const text = await answer.text();
    let problem: Record<string, unknown>;
    try {
      problem = JSON.parse(text) as Record<string, unknown>;
    } catch {
      problem = { detail: text.slice(0, 300) };
    }
    throw new ApiError(answer.status, problem);
  };
  return {
    send,
    json: async <T>(method: string, path: string, body?: unknown) => {
      const answer = await send(
        method,
        path,
        body === undefined ? undefined : JSON.stringify(body),
      );
      return (await answer.json()) as T;
    },
  };
}
