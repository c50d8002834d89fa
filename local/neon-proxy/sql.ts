import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Fault, Faults } from '../support/faults.ts';
import { sleep } from '../support/http.ts';
import { type Answer, failureAnswer } from './answers.ts';
import { tooLarge } from './pipeline.ts';
import { parsePayload, readBody, resultBody } from './payload.ts';
import type { Pools } from './pools.ts';
import type { Caller } from './transaction.ts';

/** What the proxy has seen since the last reset. */
export type Stats = {
  /** Calls of `POST /sql`: the round trips that callers made over HTTP. */
  requests: number;
  /** Statements that they asked Postgres to run. */
  statements: number;
  /** Batches, each a transaction. */
  transactions: number;
  /** Tunnels opened over WebSocket. */
  tunnels: number;
};

export type Context = {
  pools: Pools;
  faults: Faults;
  stats: Stats;
  maxResponseBytes: number;
  maxRequestBytes: number;
};

async function answerTo(
  context: Context,
  request: IncomingMessage,
  caller: Caller,
): Promise<Answer | undefined> {
  const { stats, maxResponseBytes } = context;
  try {
    const body = await readBody(request, context.maxRequestBytes);
    const payload = parsePayload(request.headers, body);
    stats.statements += payload.statements.length;
    if (payload.begin !== undefined) stats.transactions += 1;
    const header = request.headers['neon-connection-string'];
    const connectionString = typeof header === 'string' ? header : undefined;
    const written = await context.pools.run(
      connectionString,
      payload,
      maxResponseBytes,
      caller,
      (outcomes) => {
        const text = resultBody(payload, outcomes);
        if (text.length > maxResponseBytes || Buffer.byteLength(text) > maxResponseBytes)
          throw tooLarge(maxResponseBytes);
        return text;
      },
    );
    return written === undefined
      ? undefined
      : { status: 200, body: written, headers: payload.echo };
  } catch (error) {
    return failureAnswer(error);
  }
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

/** The answer of a `status` fault, written as the shared middleware writes it. */
function faultAnswer(fault: Fault): Answer {
  const { status = 500, body = {}, headers } = fault;
  return { status, body: typeof body === 'string' ? body : JSON.stringify(body), headers };
}

/** Meets the switches that struck: waits, cuts, or answers; true when the request is done with. */
async function meetFaults(struck: Fault[], response: ServerResponse): Promise<boolean> {
  for (const fault of struck) if (fault.kind === 'latency') await sleep(fault.ms ?? 0);
  const cut = struck.find((fault) => fault.kind === 'drop');
  if (cut) {
    if (cut.when === 'after') return false;
    response.destroy();
    return true;
  }
  const status = struck.find((fault) => fault.kind === 'status');
  if (status) send(response, faultAnswer(status));
  return status !== undefined;
}

/** Answers `POST /sql`, without Hono: that saves a tenth of the proxy's work, and sees callers leave. */
export async function handleSql(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  context.stats.requests += 1;
  const struck = context.faults.take('request', 'POST /sql');
  if (struck.length > 0 && (await meetFaults(struck, response))) return;
  const caller: Caller = { isGone: false, onGone: undefined };
  response.once('close', () => {
    if (response.writableFinished) return;
    caller.isGone = true;
    caller.onGone?.();
  });
  const answer = await answerTo(context, request, caller);
  if (struck.some((fault) => fault.kind === 'drop')) response.destroy();
  else if (answer && !caller.isGone) send(response, answer);
}
