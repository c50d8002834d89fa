import { readFileSync } from 'node:fs';
import { LuaApi } from 'wasmoon-lua5.1';
import { type Command, type Reply, ReplyError, Status } from '../reply.ts';
import { type Argument, commandOf, sha1hex } from './arguments.ts';

/** Lua 5.1's C API, as far as it is used; pointers are numbers. https://www.lua.org/manual/5.1/manual.html#3 */
type Api = Record<
  | '_free'
  | '_luaL_loadbuffer'
  | '_luaL_newstate'
  | '_luaL_openlibs'
  | '_luaL_ref'
  | '_luaL_unref'
  | '_lua_checkstack'
  | '_lua_createtable'
  | '_lua_error'
  | '_lua_gettop'
  | '_lua_pcall'
  | '_lua_pushboolean'
  | '_lua_pushcclosure'
  | '_lua_pushlstring'
  | '_lua_pushnumber'
  | '_lua_rawget'
  | '_lua_rawgeti'
  | '_lua_rawset'
  | '_lua_rawseti'
  | '_lua_settop'
  | '_lua_toboolean'
  | '_lua_tolstring'
  | '_lua_tonumber'
  | '_lua_type'
  | '_malloc',
  (...args: number[]) => number
> & {
  HEAPU8: Uint8Array;
  HEAPU32: Uint32Array;
  addFunction: (work: (state: number) => number, signature: string) => number;
};

const registryIndex = -10_000;
const [booleanType, numberType, stringType, tableType] = [1, 3, 4, 5];

/** A Lua 5.1 with Redis' surroundings (sandbox.lua); `send` runs what a script passes to redis.call. */
export class Lua {
  readonly #api: Api;
  readonly #state: number;
  readonly #runner: number;
  /** Where lua_tolstring leaves a length. */
  readonly #length: number;

  static async start(send: (command: Command) => Reply): Promise<Lua> {
    const { module } = await LuaApi.initialize();
    return new Lua(module, send);
  }

  private constructor(api: Api, send: (command: Command) => Reply) {
    this.#api = api;
    this.#length = api._malloc(4);
    this.#state = api._luaL_newstate();
    api._luaL_openlibs(this.#state);
    const source = readFileSync(new URL('./sandbox.lua', import.meta.url), 'latin1');
    this.#load(source, '@sandbox');
    this.#pushFunction((args) => send(commandOf(args)), true);
    this.#pushFunction((args) => send(commandOf(args)), false);
    this.#pushFunction(sha1hex, true);
    api._lua_pcall(this.#state, 3, 1, 0);
    this.#runner = api._luaL_ref(this.#state, registryIndex);
  }

  /** Compiles a script and returns its number; throws what Redis says to one that does not compile. */
  compile(source: string): number {
    if (this.#load(source, '@user_script') === 0)
      return this.#api._luaL_ref(this.#state, registryIndex);
    const problem = this.#text(this.#state, -1);
    this.#api._lua_settop(this.#state, 0);
    throw new ReplyError(`ERR Error compiling script (new function): ${problem}`);
  }

  forget(script: number): void {
    this.#api._luaL_unref(this.#state, registryIndex, script);
  }

  /** A compiled script's reply; throws its error, with the line (0: none in the script). */
  run(script: number, keys: string[], argv: string[], place: (line: number) => string): Reply {
    const [api, state] = [this.#api, this.#state];
    try {
      api._lua_rawgeti(state, registryIndex, this.#runner);
      api._lua_rawgeti(state, registryIndex, script);
      this.#push(state, keys);
      this.#push(state, argv);
      if (api._lua_pcall(state, 3, 2, 0) !== 0)
        throw new ReplyError(`ERR ${this.#text(state, -1)}`);
      if (api._lua_toboolean(state, 1) === 1) return this.#pop(state);
      const line = Number(this.#field(state, 'line') ?? 0);
      const message = this.#field(state, 'err') ?? 'ERR unknown error';
      throw new ReplyError(oneLine(message) + place(line));
    } finally {
      api._lua_settop(state, 0);
    }
  }

  #load(source: string, name: string): number {
    const [at, nameAt] = [this.#allocate(source), this.#allocate(name)];
    const status = this.#api._luaL_loadbuffer(this.#state, at, source.length, nameAt);
    this.#api._free(at);
    this.#api._free(nameAt);
    return status;
  }

  /** In C's place, so that an error keeps the script's line even after `return redis.call(…)`. */
  #pushFunction(work: (args: Argument[]) => Reply, raises: boolean): void {
    const call = (state: number) => {
      const count = this.#api._lua_gettop(state);
      const args = Array.from({ length: count }, (_, index) => this.#argument(state, index + 1));
      const reply = attempt(() => work(args));
      this.#push(state, reply);
      return raises && reply instanceof ReplyError ? this.#api._lua_error(state) : 1;
    };
    this.#api._lua_pushcclosure(this.#state, this.#api.addFunction(call, 'ii'), 0);
  }

  #argument(state: number, index: number): Argument {
    const type = this.#api._lua_type(state, index);
    if (type === numberType) return this.#api._lua_tonumber(state, index);
    return type === stringType ? this.#text(state, index) : undefined;
  }

  /** Bytes, and a zero behind them, in Lua's memory. */
  #allocate(text: string): number {
    const at = this.#api._malloc(text.length + 1);
    Buffer.from(this.#api.HEAPU8.buffer, at, text.length + 1).write(`${text}\0`, 'latin1');
    return at;
  }

  #pushText(state: number, text: string): void {
    const at = this.#allocate(text);
    this.#api._lua_pushlstring(state, at, text.length);
    this.#api._free(at);
  }

  #text(state: number, index: number): string {
    const at = this.#api._lua_tolstring(state, index, this.#length);
    const length = this.#api.HEAPU32[this.#length >> 2] ?? 0;
    return Buffer.from(this.#api.HEAPU8.buffer, at, length).toString('latin1');
  }

  /** Redis to Lua: nil becomes false, a status `{ok=…}`, an error `{err=…}`. */
  #push(state: number, reply: Reply): void {
    const api = this.#api;
    api._lua_checkstack(state, 4);
    if (reply === null) api._lua_pushboolean(state, 0);
    else if (typeof reply === 'number') api._lua_pushnumber(state, reply);
    else if (typeof reply === 'string') this.#pushText(state, reply);
    else if (Array.isArray(reply)) {
      api._lua_createtable(state, reply.length, 0);
      for (const [index, item] of reply.entries()) {
        this.#push(state, item);
        api._lua_rawseti(state, -2, index + 1);
      }
    } else {
      api._lua_createtable(state, 0, 1);
      this.#pushText(state, reply instanceof Status ? 'ok' : 'err');
      this.#pushText(state, reply instanceof Status ? reply.text : reply.message);
      api._lua_rawset(state, -3);
    }
  }

  /**
   * Takes the topmost value, Lua to Redis: numbers lose their fraction, true is 1, false and nil are nil,
   * a list ends at its first nil.
   * https://redis.io/docs/latest/develop/programmability/lua-api/#lua-to-resp2-type-conversion
   */
  #pop(state: number): Reply {
    const api = this.#api;
    const reply = this.#read(state, api._lua_type(state, -1));
    api._lua_settop(state, -2);
    return reply;
  }

  #read(state: number, type: number): Reply {
    const api = this.#api;
    if (type === numberType) return toInteger(api._lua_tonumber(state, -1));
    if (type === stringType) return this.#text(state, -1);
    if (type === booleanType) return api._lua_toboolean(state, -1) || null;
    if (type !== tableType) return null;
    api._lua_checkstack(state, 4);
    const error = this.#field(state, 'err');
    if (error !== undefined) return new ReplyError(oneLine(error));
    const status = this.#field(state, 'ok');
    if (status !== undefined) return new Status(oneLine(status));
    const items: Reply[] = [];
    for (let at = 1; ; at += 1) {
      api._lua_rawgeti(state, -1, at);
      if (api._lua_type(state, -1) === 0) break;
      items.push(this.#pop(state));
    }
    api._lua_settop(state, -2);
    return items;
  }

  /** A text (or number) in the table on top. */
  #field(state: number, name: string): string | undefined {
    this.#pushText(state, name);
    this.#api._lua_rawget(state, -2);
    const isText = [numberType, stringType].includes(this.#api._lua_type(state, -1));
    const text = isText ? this.#text(state, -1) : undefined;
    this.#api._lua_settop(state, -2);
    return text;
  }
}

/** No exception may pass through Lua's frames. */
function attempt(work: () => Reply): Reply {
  try {
    return work();
  } catch (error) {
    return error instanceof ReplyError ? error : new ReplyError(`ERR ${String(error)}`);
  }
}

const oneLine = (text: string) => text.replaceAll(/[\r\n]/g, ' ');

/** As C on the servers' processors: what no int64 can hold is the least one. */
const toInteger = (value: number) =>
  Math.abs(value) < 2 ** 63 ? Math.trunc(value) + 0 : -(2 ** 63);
