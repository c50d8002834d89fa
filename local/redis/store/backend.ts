import { type Backend, type Command, type Reply, ReplyError } from '../reply.ts';
import { type Definition, type Definitions, wrongArity } from './command.ts';
import { hashCommands } from './hashes.ts';
import { keyCommands } from './keys.ts';
import { Keyspace } from './keyspace.ts';
import { listCommands } from './lists.ts';
import { Scripting } from './scripting.ts';
import { setCommands } from './sets.ts';
import { stringCommands } from './strings.ts';
import { zsetCommands } from './zsets.ts';

const SWEEP_MS = 10_000;

function unknownCommand([name = '', ...args]: Command): ReplyError {
  let shown = '';
  for (const arg of args) {
    if (shown.length >= 128) break;
    shown += `'${arg.slice(0, 128 - shown.length)}' `;
  }
  const message = `ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${shown}`;
  return new ReplyError(message.replaceAll(/[\r\n]/g, ' '));
}

/** The built-in store: one process, no persistence, every command complete before the next. */
export class Store {
  #keys = new Keyspace();
  #definitions: Definitions;

  constructor() {
    this.#definitions = {
      ...keyCommands,
      ...stringCommands,
      ...hashCommands,
      ...listCommands,
      ...setCommands,
      ...zsetCommands,
      ...new Scripting((command) => this.execute(command)).commands(),
    };
  }

  /** Runs one command; an error is a reply like any other. */
  execute(command: Command): Reply {
    const found = this.#find(command);
    if (found instanceof ReplyError) return found;
    try {
      return found.run(this.#keys, command.slice(1));
    } catch (error) {
      if (error instanceof ReplyError) return error;
      throw error;
    }
  }

  /** As EXEC: if a command does not exist or lacks arguments, none of them runs. */
  transaction(commands: Command[]): Reply[] | ReplyError {
    if (commands.some((command) => this.#find(command) instanceof ReplyError))
      return new ReplyError('EXECABORT Transaction discarded because of previous errors.');
    return commands.map((command) => this.execute(command));
  }

  sweep(): void {
    this.#keys.sweep();
  }

  #find(command: Command): Definition | ReplyError {
    const name = command[0] ?? '';
    const upper = name.toUpperCase();
    const found = Object.hasOwn(this.#definitions, upper) ? this.#definitions[upper] : undefined;
    if (!found) return unknownCommand(command);
    const { arity } = found;
    const fits = arity < 0 ? command.length >= -arity : command.length === arity;
    return fits ? found : wrongArity(name);
  }
}

/** The built-in store as the backend. */
export function storeBackend(): Backend {
  const store = new Store();
  const timer = setInterval(() => store.sweep(), SWEEP_MS).unref();
  return {
    kind: 'built-in',
    run: (commands) => Promise.resolve(commands.map((command) => store.execute(command))),
    transaction: (commands) => Promise.resolve(store.transaction(commands)),
    close: () => {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}
