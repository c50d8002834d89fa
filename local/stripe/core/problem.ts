/** The body of Stripe's answer to a request it refuses. Source: https://docs.stripe.com/api/errors */
type ProblemBody = {
  type: 'invalid_request_error' | 'idempotency_error' | 'card_error' | 'api_error';
  message: string;
  code?: string;
  param?: string;
  decline_code?: string;
  [key: string]: unknown;
};

/** Thrown by any step of a request; becomes `{error: body}` with `status`. */
export class Problem extends Error {
  status: number;
  body: ProblemBody;

  constructor(status: number, body: ProblemBody) {
    super(body.message);
    this.status = status;
    this.body = body;
  }
}

type Extra = { code?: string; param?: string | undefined };

/** A 400 `invalid_request_error`; a bare string is its `param`. */
export const invalid = (message: string, extra: Extra | string = {}): Problem =>
  new Problem(400, {
    type: 'invalid_request_error',
    message,
    ...withoutUndefined(typeof extra === 'string' ? { param: extra } : extra),
  });

/** Refuses parameters that exclude each other, naming the first. */
export function onlyOne(params: object, ...names: string[]): void {
  const found = names.filter((name) => (params as Record<string, unknown>)[name] !== undefined);
  if (found.length > 1)
    throw invalid(`You may only specify one of these parameters: ${names.join(', ')}.`, names[0]);
}

/** What Stripe calls the id in the path, where it does not call it `id`. */
const pathNames: Record<string, string> = {
  charge: 'charge',
  invoice: 'invoice',
  payment_intent: 'intent',
  price: 'price',
};

/** A 404 for an id in the path, a 400 with `param` for one in the parameters. */
export const missing = (kind: string, id: string, param?: string): Problem =>
  new Problem(param === undefined ? 404 : 400, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${kind}: '${id}'`,
    param: param ?? pathNames[kind] ?? 'id',
  });

export const unknownParameter = (param: string): Problem =>
  invalid(`Received unknown parameter: ${param}`, { code: 'parameter_unknown', param });

export const missingParameter = (param: string): Problem =>
  invalid(`Missing required param: ${param}.`, { code: 'parameter_missing', param });

/** The 402 of a declined card. Source: https://docs.stripe.com/declines/codes */
export const declined = (extra: Record<string, unknown> = {}): Problem =>
  new Problem(402, {
    type: 'card_error',
    code: 'card_declined',
    decline_code: 'generic_decline',
    message: 'Your card was declined.',
    ...extra,
  });

function withoutUndefined(extra: Extra): { code?: string; param?: string } {
  return Object.fromEntries(Object.entries(extra).filter(([, value]) => value !== undefined));
}
