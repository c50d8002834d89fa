import { hashCommands, setCommands } from './commands/collections.ts';
import { type Definition, type Definitions, wrongArity } from './commands/definition.ts';
import { keyCommands } from './commands/keys.ts';
import { stringCommands } from './commands/strings.ts';
import { Keyspace } from './keyspace.ts';
import { type Command, type Reply, ReplyError } from './reply.ts';
import { Scripting } from './scripting/scripting.ts';

const sweepMs = 10_000;

/** A small Redis: one process, no persistence, every command complete before the next. */
export class Store {
  readonly #db = new Keyspace();
  readonly #definitions: Definitions;
  readonly #scripting: Scripting;
  readonly #sweep = setInterval(() => this.#db.living(), sweepMs).unref();

  static async start(): Promise<Store> {
    const scripting = await Scripting.start(
      (command) => store.#find(command),
      (command) => store.execute(command),
    );
    const store = new Store(scripting);
    return store;
  }

  private constructor(scripting: Scripting) {
    this.#scripting = scripting;
    this.#definitions = {
      ...keyCommands,
      ...stringCommands,
      ...hashCommands,
      ...setCommands,
      ...scripting.commands,
    };
  }

  /** Runs one command; an error is a reply like any other. */
  execute(command: Command): Reply {
    const found = this.#find(command);
    if (found instanceof ReplyError) return found;
    const args = command.slice(1);
    try {
      return found.run(this.#db, ...args);
    } catch (error) {
      if (error instanceof ReplyError) return error;
      throw error;
    } finally {
      if (found.writes) for (const key of found.keysOf?.(args) ?? []) this.#db.dropIfEmpty(key);
    }
  }

  /** As EXEC: if a command does not exist or lacks arguments, none of them runs. */
  transaction(commands: Command[]): Reply[] | ReplyError {
    if (commands.some((command) => this.#find(command) instanceof ReplyError))
      return new ReplyError('EXECABORT Transaction discarded because of previous errors.');
    this.#scripting.inTransaction = true;
    try {
      return commands.map((command) => this.execute(command));
    } finally {
      this.#scripting.inTransaction = false;
    }
  }

  state() {
    return { keys: this.#db.living().length, scripts: this.#scripting.counts };
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  #find(command: Command): Definition | ReplyError {
    const [name = ''] = command;
    const upper = name.toUpperCase();
    const found = Object.hasOwn(this.#definitions, upper) ? this.#definitions[upper] : undefined;
    if (!found) return new ReplyError(`ERR the stand-in does not play '${name.slice(0, 128)}'`);
    const { arity } = found;
    const fits = arity < 0 ? command.length >= -arity : command.length === arity;
    return fits ? found : wrongArity(name);
  }
}
