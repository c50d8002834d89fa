import { Hono, type Context } from 'hono';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Faults } from '../support/faults.ts';
import { type Command, type Reply, ReplyError, Status, toBytes, toText } from './reply.ts';
import type { Store } from './store.ts';

/** Of one command. https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded */
const maxRequestBytes = 10 * 1024 * 1024;
/** More would not fit the stack that they are passed on; Redis takes a million. */
const maxArguments = 50_000;

/** A JSON array as a command, or the error that Upstash has for it. */
function commandOf(value: unknown): Command | ReplyError {
  if (!Array.isArray(value)) return new ReplyError('ERR failed to parse command');
  if (value.length === 0) return new ReplyError('ERR empty command');
  const words: unknown[] = value;
  if (words.length > maxArguments)
    return new ReplyError(`ERR the stand-in plays no more than ${maxArguments} arguments`);
  if (words.includes(null)) return new ReplyError('ERR null args are not supported');
  if (words.some((word) => typeof word === 'object'))
    return new ReplyError('ERR failed to parse command');
  const command = words.map((word) => toBytes(String(word)));
  const bytes = command.reduce((sum, word) => sum + word.length, 0);
  return bytes > maxRequestBytes ? new ReplyError('ERR max request size exceeded') : command;
}

/** A reply as JSON. In base64 every string is encoded but a top-level `OK`, as the SDK expects. */
function toJson(reply: Reply, base64: boolean, depth = 0): unknown {
  if (reply === null || typeof reply === 'number') return reply;
  if (Array.isArray(reply)) return reply.map((item) => toJson(item, base64, depth + 1));
  if (reply instanceof ReplyError) return toText(reply.message);
  const text = reply instanceof Status ? reply.text : reply;
  if (!base64) return toText(text);
  if (text === 'OK' && depth === 0) return text;
  return Buffer.from(text, 'latin1').toString('base64');
}

function answerOf(c: Context, reply: Reply) {
  const base64 = c.req.header('upstash-encoding')?.toLowerCase() === 'base64';
  const json = toJson(reply, base64);
  return reply instanceof ReplyError ? { error: json } : { result: json };
}

const refuse = (c: Context, error: string, status: 400 | 401 | 405 = 400) =>
  c.json({ error }, status);

const bodyOf = (c: Context): Promise<unknown> => c.req.json().catch(() => undefined);

function sameToken(c: Context, token: string): boolean {
  const given = /^Bearer\s+(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given ?? c.req.query('_token') ?? ''), digest(token));
}

/** The REST face of the store. https://upstash.com/docs/redis/features/restapi */
export function createGateway(store: Store, faults: Faults, token: string): Hono {
  const app = new Hono();
  let [commands, requests] = [0, 0];
  const run = (command: Command | ReplyError): Reply => {
    if (command instanceof ReplyError) return command;
    commands += 1;
    return store.execute(command);
  };
  app.use(faults.middleware());
  app.route('/_local', faults.routes());
  app.get('/_local/state', (c) => c.json({ ...store.state(), commands }));
  app.use(async (c, next) => {
    if (!/^(?:HEAD|GET|POST|PUT)$/.test(c.req.method))
      return refuse(c, 'ERR method not allowed', 405);
    if (!sameToken(c, token)) return refuse(c, 'WRONGPASS invalid or missing auth token', 401);
    if ((c.req.header('upstash-response-format') ?? 'json') !== 'json')
      return refuse(c, 'ERR the stand-in plays no response format but json');
    c.header('upstash-sync-token', Buffer.from(`local:${requests++}`).toString('base64'));
    return next();
  });
  app.post('/', async (c) => {
    const answer = answerOf(c, run(commandOf(await bodyOf(c))));
    return c.json(answer, 'error' in answer ? 400 : 200);
  });
  /** Each command answers for itself; in a transaction all run or, if one is wrong, none. */
  const many = (what: 'pipeline' | 'transaction') => async (c: Context) => {
    const body = await bodyOf(c);
    if (!Array.isArray(body) || !body.every(Array.isArray))
      return refuse(c, `ERR failed to parse ${what} request`);
    if (body.length === 0) return refuse(c, `ERR empty ${what} request`);
    const parsed = body.map(commandOf);
    if (what === 'pipeline') return c.json(parsed.map((command) => answerOf(c, run(command))));
    const wrong = parsed.find((command) => command instanceof ReplyError);
    if (wrong) return refuse(c, wrong.message);
    const all = parsed.filter((command) => Array.isArray(command));
    commands += all.length;
    const replies = store.transaction(all);
    if (replies instanceof ReplyError) return refuse(c, replies.message);
    return c.json(replies.map((reply) => answerOf(c, reply)));
  };
  app.post('/pipeline', many('pipeline'));
  app.post('/multi-exec', many('transaction'));
  app.all('*', (c) =>
    refuse(
      c,
      'ERR the stand-in plays POST to /, /pipeline and /multi-exec, no command in the path',
    ),
  );
  app.onError((error, c) => c.json({ error: `ERR ${error.message}` }, 500));
  return app;
}
