/** A refusal, answered as `{"error": message}`, the only error form that QStash has. */
export class Refusal extends Error {
  readonly status: 400 | 401 | 404 | 412 | 429;
  readonly headers: Record<string, string>;

  constructor(status: Refusal['status'], message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Of a message that is well formed but cannot be sent: in a batch it fails alone. */
export class Unsendable extends Refusal {}

/** The plan's ceilings; going over one is a 412 `quota … exceeded` (upstash/workflow-js #181). */
export const quotas = {
  maxMessageSize: 10 * 1024 * 1024,
  maxRetries: 5,
  maxDelay: 30 * 86_400,
};

/** Refuses a value over a quota of the plan. */
export function checkQuota(name: keyof typeof quotas, value: number): void {
  if (value > quotas[name])
    throw new Unsendable(412, `quota ${name} exceeded, current limit: ${quotas[name]}`);
}
