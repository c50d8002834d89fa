import type { Block } from '../lua/ast.ts';
import { toLua, toReply } from '../lua/convert.ts';
import { Evaluator } from '../lua/evaluate.ts';
import { libraryGlobals } from '../lua/library.ts';
import { parse } from '../lua/parser.ts';
import { formatNumber, LuaError, LuaTable, type LuaValue, textOf } from '../lua/values.ts';
import { OK, type Command, type Reply, ReplyError } from '../reply.ts';
import { sha1 } from '../scripts.ts';
import { arg, type Definitions, wrongArity } from './command.ts';
import { parseInteger } from './numbers.ts';

type Execute = (command: Command) => Reply;

const raised = (message: string, line: number) =>
  new LuaError(LuaTable.named({ err: message }), line);

/** What a script passes to redis.call, as bytes; numbers keep 17 digits. */
function commandOf(args: LuaValue[], line: number): Command {
  if (args.length === 0)
    throw raised('ERR Please specify at least one argument for this redis lib call', line);
  return args.map((value) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return formatNumber(value, 17);
    throw raised('ERR Lua redis lib command arguments must be strings or integers', line);
  });
}

/** How Redis words, inside a script, what it says otherwise to a client. */
function inScript(reply: Reply): Reply {
  if (!(reply instanceof ReplyError)) return reply;
  if (reply.message.startsWith('ERR unknown command'))
    return new ReplyError('ERR Unknown Redis command called from script');
  if (reply.message.startsWith('ERR wrong number of arguments'))
    return new ReplyError('ERR Wrong number of args calling Redis command from script');
  return reply;
}

const FORBIDDEN = /^(?:eval|evalsha|eval_ro|evalsha_ro|script)$/i;

/** EVAL and its kin for the built-in store: scripts by hash, each run in a fresh set of globals. */
export class Scripting {
  #scripts = new Map<string, Block>();
  #execute: Execute;

  constructor(execute: Execute) {
    this.#execute = execute;
  }

  /** https://redis.io/docs/latest/commands/?group=scripting */
  commands(): Definitions {
    const evaluate = { arity: -3, run: (_: unknown, args: string[]) => this.#eval(args) };
    const byHash = { arity: -3, run: (_: unknown, args: string[]) => this.#evalSha(args) };
    return {
      EVAL: evaluate,
      EVAL_RO: evaluate,
      EVALSHA: byHash,
      EVALSHA_RO: byHash,
      SCRIPT: { arity: -2, run: (_, args) => this.#script(args) },
    };
  }

  #load(source: string): string {
    const sha = sha1(source);
    if (!this.#scripts.has(sha)) this.#scripts.set(sha, parse(source));
    return sha;
  }

  #eval([source = '', ...rest]: string[]): Reply {
    keyCount(rest);
    return this.#run(this.#load(source), rest);
  }

  #evalSha([sha = '', ...rest]: string[]): Reply {
    keyCount(rest);
    if (!this.#scripts.has(sha.toLowerCase()))
      throw new ReplyError('NOSCRIPT No matching script. Please use EVAL.');
    return this.#run(sha.toLowerCase(), rest);
  }

  #script([sub = '', ...rest]: string[]): Reply {
    const name = sub.toUpperCase();
    if (name === 'LOAD') {
      if (rest.length !== 1) throw wrongArity('script|load');
      return this.#load(arg(rest, 0));
    }
    if (name === 'EXISTS') return rest.map((sha) => (this.#scripts.has(sha.toLowerCase()) ? 1 : 0));
    if (name === 'FLUSH') {
      this.#scripts.clear();
      return OK;
    }
    throw new ReplyError(`ERR unknown subcommand '${sub}'. Try SCRIPT HELP.`);
  }

  #run(sha: string, args: string[]): Reply {
    const count = keyCount(args);
    const globals = new Map<string, LuaValue>([
      ...libraryGlobals(),
      ['KEYS', LuaTable.of(args.slice(1, count + 1))],
      ['ARGV', LuaTable.of(args.slice(count + 1))],
      ['redis', this.#redis()],
    ]);
    try {
      return toReply(new Evaluator(globals).run(this.#scripts.get(sha) ?? []));
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      throw placed(error, sha);
    }
  }

  #redis(): LuaTable {
    const call = (args: LuaValue[], line: number): Reply => {
      const command = commandOf(args, line);
      if (FORBIDDEN.test(command[0] ?? ''))
        return new ReplyError('ERR This Redis command is not allowed from script');
      return inScript(this.#execute(command));
    };
    return LuaTable.named({
      call: (args, line) => {
        const reply = call(args, line);
        if (reply instanceof ReplyError) throw raised(reply.message, line);
        return [toLua(reply)];
      },
      pcall: (args, line) => [toLua(call(args, line))],
      error_reply: ([text]) => [LuaTable.named({ err: errorLine(textOf(text)) })],
      status_reply: ([text]) => [LuaTable.named({ ok: textOf(text) })],
      sha1hex: ([text]) => [sha1(textOf(text))],
      log: () => [],
      LOG_DEBUG: 0,
      LOG_VERBOSE: 1,
      LOG_NOTICE: 2,
      LOG_WARNING: 3,
    });
  }
}

/** A script's error as Redis reports it: with the script's hash and the line. */
const placed = (error: LuaError, sha: string) =>
  new ReplyError(`${error.message} script: ${sha}, on @user_script:${error.line ?? '?'}.`);

const errorLine = (text: string) => {
  const bare = text.replace(/^-/, '');
  return bare.includes(' ') ? bare : `ERR ${bare}`;
};

function keyCount(args: string[]): number {
  const count = parseInteger(arg(args, 0));
  if (count < 0) throw new ReplyError("ERR Number of keys can't be negative");
  if (count > args.length - 1)
    throw new ReplyError("ERR Number of keys can't be greater than number of args");
  return count;
}
