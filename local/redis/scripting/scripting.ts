import {
  type Definition,
  type Definitions,
  noKeys,
  parseInteger,
  writing,
  wrongArity,
} from '../commands/definition.ts';
import { type Command, okStatus, type Reply, ReplyError } from '../reply.ts';
import { sha1 } from './arguments.ts';
import { Lua } from './lua.ts';

/** `flags` are those of its first line (`#!lua flags=…`); undefined: there is no such line. */
type Script = { number: number; flags: string[] | undefined };
type Running = { keys: Set<string>; keyLocked: boolean; readOnly: boolean };

const flagsPattern =
  'allow-key-locking no-writes allow-oom allow-stale no-cluster allow-cross-slot-keys'.split(' ');

/** https://redis.io/docs/latest/develop/programmability/eval-intro/#eval-flags */
function flagsOf(source: string): string[] | undefined {
  if (!source.startsWith('#!')) return undefined;
  const [engine, ...options] = (source.split('\n', 1)[0] ?? '').trim().split(/\s+/);
  if (engine !== '#!lua')
    throw new ReplyError(`ERR Unexpected engine in script shebang: ${engine}`);
  const foreign = options.find((option) => !option.startsWith('flags='));
  if (foreign) throw new ReplyError(`ERR Unknown lua shebang option: ${foreign}`);
  const flags = options.flatMap((option) => option.slice('flags='.length).split(','));
  const unknown = flags.find((flag) => !flagsPattern.includes(flag));
  if (unknown) throw new ReplyError(`ERR Unexpected flag in script shebang: ${unknown}`);
  return flags;
}

/** EVAL and its kin: scripts by their hash. https://upstash.com/docs/redis/features/key-locking */
export class Scripting {
  /** Runs by the lock that they took, and how often a script touched a key that it did not declare. */
  readonly counts = { keyLocks: 0, globalLocks: 0, undeclaredKeys: 0 };
  /** Inside a transaction every script takes the global lock. */
  inTransaction = false;
  readonly commands: Definitions;
  readonly #lua: Lua;
  readonly #scripts = new Map<string, Script>();
  #running: Running | undefined;

  /** `find` and `execute` are the store's, for what scripts send. */
  static async start(
    find: (command: Command) => Definition | ReplyError,
    execute: (command: Command) => Reply,
  ): Promise<Scripting> {
    const send = (command: Command): Reply =>
      scripting.#refusalOf(command, find(command)) ?? execute(command);
    const scripting = new Scripting(await Lua.start(send));
    return scripting;
  }

  private constructor(lua: Lua) {
    this.#lua = lua;
    const evaluate = (readOnly: boolean) =>
      writing(
        -3,
        (_, source: string, ...args) => {
          keyCount(args);
          return this.#run(this.#load(source), args, readOnly);
        },
        noKeys,
      );
    const byHash = (readOnly: boolean) =>
      writing(
        -3,
        (_, sha: string, ...args) => this.#run(sha.toLowerCase(), args, readOnly),
        noKeys,
      );
    this.commands = {
      EVAL: evaluate(false),
      EVAL_RO: evaluate(true),
      EVALSHA: byHash(false),
      EVALSHA_RO: byHash(true),
      SCRIPT: writing(-2, (_, sub: string, ...args) => this.#script(sub, args), noKeys),
    };
  }

  #load(source: string): string {
    const sha = sha1(source);
    if (this.#scripts.has(sha)) return sha;
    const flags = flagsOf(source);
    // The first line is emptied, not cut, so that line numbers in errors stay right.
    const number = this.#lua.compile(source.replace(/^#![^\n]*/, ''));
    this.#scripts.set(sha, { number, flags });
    return sha;
  }

  #script(sub: string, args: string[]): Reply {
    const name = sub.toUpperCase();
    if (name === 'LOAD') {
      if (args.length !== 1) throw wrongArity('script|load');
      return this.#load(args[0] ?? '');
    }
    if (name === 'EXISTS') return args.map((sha) => Number(this.#scripts.has(sha.toLowerCase())));
    if (name !== 'FLUSH') throw new ReplyError(`ERR the stand-in does not play 'SCRIPT ${name}'`);
    if (args.length > 1 || !/^a?sync$/i.test(args[0] ?? 'sync'))
      throw new ReplyError('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
    for (const { number } of this.#scripts.values()) this.#lua.forget(number);
    this.#scripts.clear();
    return okStatus;
  }

  #run(sha: string, args: string[], readOnly: boolean): Reply {
    const count = keyCount(args);
    const script = this.#scripts.get(sha);
    if (!script) throw new ReplyError('NOSCRIPT No matching script. Please use EVAL.');
    const { number, flags = [] } = script;
    if (readOnly && script.flags && !flags.includes('no-writes'))
      throw new ReplyError('ERR Can not execute a script with write flag using *_ro command.');
    const [keys, argv] = [args.slice(1, count + 1), args.slice(count + 1)];
    const keyLocked = flags.includes('allow-key-locking');
    this.counts[keyLocked && !this.inTransaction ? 'keyLocks' : 'globalLocks'] += 1;
    readOnly ||= flags.includes('no-writes');
    this.#running = { keys: new Set(keys), keyLocked, readOnly };
    return this.#lua.run(
      number,
      keys,
      argv,
      (line) => ` script: ${sha}${line ? `, on @user_script:${line}` : ''}.`,
    );
  }

  /** Why the running script may not send this command, in Redis' and Upstash's words. */
  #refusalOf(command: Command, found: Definition | ReplyError): ReplyError | undefined {
    const [name = '', ...args] = command;
    const { keys, keyLocked, readOnly } = this.#running ?? {};
    if (found instanceof ReplyError)
      return found.message.startsWith('ERR wrong number')
        ? new ReplyError('ERR Wrong number of args calling Redis command from script')
        : found;
    if (Object.hasOwn(this.commands, name.toUpperCase()))
      return new ReplyError('ERR This Redis command is not allowed from script');
    if (readOnly && found.writes)
      return new ReplyError('ERR Write commands are not allowed from read-only scripts.');
    // Upstash gives the words for dynamic keys; those for the whole database are ours.
    const whenLocked = "in Lua scripts when 'allow-key-locking' flag is set";
    if (keyLocked && !found.keysOf)
      return new ReplyError(`ERR ${name} is not allowed ${whenLocked}`);
    const undeclared = found.keysOf?.(args).filter((key) => !keys?.has(key)) ?? [];
    if (keyLocked && undeclared.length > 0)
      return new ReplyError(
        `ERR Dynamic keys are not allowed ${whenLocked}. Key was: ${undeclared[0]}`,
      );
    this.counts.undeclaredKeys += undeclared.length;
    return undefined;
  }
}

function keyCount([given = '', ...rest]: string[]): number {
  const count = parseInteger(given);
  if (count < 0) throw new ReplyError("ERR Number of keys can't be negative");
  if (count > rest.length)
    throw new ReplyError("ERR Number of keys can't be greater than number of args");
  return count;
}
