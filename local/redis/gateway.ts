import { Hono, type Context } from 'hono';
import { createHash, timingSafeEqual } from 'node:crypto';
import { Faults } from '../support/faults.ts';
import { type Backend, type Command, type Reply, ReplyError, Status } from './reply.ts';
import { toBytes, toText } from './reply.ts';
import { Scripts } from './scripts.ts';

type Answer = { result: unknown } | { error: string };

/** Commands that live on a connection, block it or rule the server: not to be had over REST. */
const unavailable = new Set(
  (
    'MULTI EXEC DISCARD WATCH UNWATCH SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE ' +
    'SUNSUBSCRIBE MONITOR BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP WAIT ' +
    'WAITAOF SELECT AUTH HELLO QUIT RESET CLIENT CONFIG DEBUG SHUTDOWN REPLICAOF SLAVEOF SYNC ' +
    'PSYNC REPLCONF SAVE BGSAVE BGREWRITEAOF MODULE CLUSTER FAILOVER SWAPDB MIGRATE'
  ).split(' '),
);

/** A JSON array as a command, or the error that Upstash has for it. */
function commandOf(value: unknown): Command | ReplyError {
  if (!Array.isArray(value)) return new ReplyError('ERR failed to parse command');
  if (value.length === 0) return new ReplyError('ERR empty command');
  const words: Command = [];
  for (const word of value as unknown[]) {
    if (word === null) return new ReplyError('ERR null args are not supported');
    if (typeof word !== 'string' && typeof word !== 'number' && typeof word !== 'boolean')
      return new ReplyError('ERR failed to parse command');
    words.push(toBytes(String(word)));
  }
  const name = words[0]?.toUpperCase() ?? '';
  if (unavailable.has(name))
    return new ReplyError(
      `ERR Command is not available: '${name}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details`,
    );
  return words;
}

/** A reply as JSON. In base64 every string is encoded but a top-level `OK`, as the SDK expects. */
function toJson(reply: Reply, base64: boolean, depth = 0): unknown {
  if (reply === null || typeof reply === 'number') return reply;
  if (Array.isArray(reply)) return reply.map((item) => toJson(item, base64, depth + 1));
  if (reply instanceof ReplyError) return reply.message;
  const text = reply instanceof Status ? reply.text : reply;
  if (!base64) return toText(text);
  if (text === 'OK' && depth === 0) return text;
  return Buffer.from(text, 'latin1').toString('base64');
}

const answerOf = (reply: Reply, base64: boolean): Answer =>
  reply instanceof ReplyError
    ? { error: toText(reply.message) }
    : { result: toJson(reply, base64) };

const sameToken = (given: string, token: string) => {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
};

/** The REST face of a Redis. https://upstash.com/docs/redis/features/restapi */
export class Gateway {
  readonly faults = new Faults();
  #backend: Backend;
  #scripts = new Scripts();
  #commands = 0;
  #writes = 0;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  app(token: string): Hono {
    const app = new Hono();
    app.use(this.faults.middleware());
    app.route('/_local', this.faults.routes());
    app.get('/_local/state', async (c) => {
      const [keys] = await this.#backend.run([['DBSIZE']]);
      return c.json({ keys, commands: this.#commands, backend: this.#backend.kind });
    });
    app.use(async (c, next) => {
      const given = /^Bearer\s+(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
      if (!sameToken(given, token))
        return c.json({ error: 'WRONGPASS invalid or missing auth token' }, 401);
      c.header('upstash-sync-token', Buffer.from(`local:${this.#writes++}`).toString('base64'));
      return next();
    });
    app.post('/', (c) => this.#one(c));
    app.post('/pipeline', (c) => this.#many(c, false));
    app.post('/multi-exec', (c) => this.#many(c, true));
    app.all('*', (c) =>
      c.json({ error: 'ERR this gateway serves POST to /, /pipeline and /multi-exec only' }, 400),
    );
    app.onError((error, c) => c.json({ error: `ERR ${error.message}` }, 500));
    return app;
  }

  async #one(c: Context): Promise<Response> {
    const command = commandOf(await bodyOf(c));
    if (command instanceof ReplyError) return c.json({ error: command.message }, 400);
    const [reply] = await this.#run([command]);
    const answer = answerOf(reply ?? null, wantsBase64(c));
    return c.json(answer, 'error' in answer ? 400 : 200);
  }

  /** `/pipeline`: each command answers for itself. `/multi-exec`: all or, if one is wrong, none. */
  async #many(c: Context, atomic: boolean): Promise<Response> {
    const what = atomic ? 'transaction' : 'pipeline';
    const body = await bodyOf(c);
    if (!Array.isArray(body) || !body.every(Array.isArray))
      return c.json({ error: `ERR failed to parse ${what} request` }, 400);
    if (body.length === 0) return c.json({ error: `ERR empty ${what} request` }, 400);
    const parsed = body.map(commandOf);
    const commands = parsed.filter((command) => Array.isArray(command));
    const wrong = parsed.find((command) => command instanceof ReplyError);
    if (atomic && wrong) return c.json({ error: wrong.message }, 400);
    const replies = atomic ? await this.#transact(commands) : await this.#run(commands);
    if (replies instanceof ReplyError) return c.json({ error: replies.message }, 400);
    const waiting = replies.values();
    const all = parsed.map((command) =>
      command instanceof ReplyError ? command : (waiting.next().value ?? null),
    );
    return c.json(all.map((reply) => answerOf(reply, wantsBase64(c))));
  }

  async #run(commands: Command[]): Promise<Reply[]> {
    this.#commands += commands.length;
    // Scripts of one pipeline may build upon each other (SCRIPT LOAD, then EVALSHA).
    const replies: Reply[] = [];
    for (const batch of splitAtScripts(commands)) {
      const some = await this.#backend.run(batch.map((command) => this.#scripts.rewrite(command)));
      replies.push(...this.#settle(batch, some));
    }
    return replies;
  }

  async #transact(commands: Command[]): Promise<Reply[] | ReplyError> {
    this.#commands += commands.length;
    const rewritten = commands.map((command) => this.#scripts.rewrite(command));
    const replies = await this.#backend.transaction(rewritten);
    return replies instanceof ReplyError ? replies : this.#settle(commands, replies);
  }

  #settle(commands: Command[], replies: Reply[]): Reply[] {
    return replies.map((reply, index) => this.#scripts.settle(commands[index] ?? [], reply));
  }
}

const wantsBase64 = (c: Context) => c.req.header('upstash-encoding')?.toLowerCase() === 'base64';

async function bodyOf(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    return undefined;
  }
}

/** Cuts after every script command, and nowhere else: one write per batch is quicker. */
function splitAtScripts(commands: Command[]): Command[][] {
  const batches: Command[][] = [[]];
  for (const command of commands) {
    batches.at(-1)?.push(command);
    if (/^(?:EVAL|SCRIPT)/i.test(command[0] ?? '')) batches.push([]);
  }
  return batches.filter((batch) => batch.length > 0);
}
