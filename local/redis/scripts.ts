import { hash } from 'node:crypto';
import { type Command, type Reply, ReplyError } from './reply.ts';

const EVALS = new Map([
  ['EVAL', 'EVAL'],
  ['EVAL_RO', 'EVAL_RO'],
  ['EVALSHA', 'EVAL'],
  ['EVALSHA_RO', 'EVAL_RO'],
]);

export const sha1 = (bytes: string): string => hash('sha1', Buffer.from(bytes, 'latin1'), 'hex');

/**
 * Upstash's scripts begin with `#!lua flags=allow-key-locking`, which plain Redis refuses. The line
 * is emptied, not cut, so that line numbers in errors stay right.
 */
const withoutShebang = (script: string) => script.replace(/^#!lua[^\n]*/, '');

/**
 * Keeps Upstash's scripts under the SHA1 of the text that the client knows. `rewrite` turns a
 * command into what the backend understands; `settle` learns from the reply.
 */
export class Scripts {
  #bySha = new Map<string, string>();

  rewrite(command: Command): Command {
    const name = command[0]?.toUpperCase() ?? '';
    if (name === 'SCRIPT' && command[1]?.toUpperCase() === 'LOAD' && command.length === 3)
      return [...command.slice(0, 2), withoutShebang(command[2] ?? '')];
    const plain = EVALS.get(name);
    if (!plain || command.length < 3) return command;
    const script = name.startsWith('EVALSHA')
      ? this.#bySha.get(command[1]?.toLowerCase() ?? '')
      : command[1];
    // An unknown hash goes through as it is: the backend answers NOSCRIPT.
    if (script === undefined) return command;
    return [plain, withoutShebang(script), ...command.slice(2)];
  }

  /** The reply for the client; remembers scripts that compiled, forgets all after SCRIPT FLUSH. */
  settle(command: Command, reply: Reply): Reply {
    const [name, sub] = command.slice(0, 2).map((part) => part.toUpperCase());
    const isEval = name === 'EVAL' || name === 'EVAL_RO';
    if (isEval && !isCompileError(reply) && command.length >= 3)
      return this.#remember(command[1] ?? '', reply);
    if (name !== 'SCRIPT' || reply instanceof ReplyError) return reply;
    if (sub === 'LOAD') return this.#remember(command[2] ?? '', sha1(command[2] ?? ''));
    if (sub === 'FLUSH') this.#bySha.clear();
    if (sub === 'EXISTS')
      return command.slice(2).map((sha) => (this.#bySha.has(sha.toLowerCase()) ? 1 : 0));
    return reply;
  }

  #remember(script: string, reply: Reply): Reply {
    this.#bySha.set(sha1(script), script);
    return reply;
  }
}

const isCompileError = (reply: Reply) =>
  reply instanceof ReplyError &&
  /^ERR (?:Error compiling script|value is not an integer|Number of keys)/.test(reply.message);
