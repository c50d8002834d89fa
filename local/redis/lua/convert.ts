import { type Reply, ReplyError, Status } from '../reply.ts';
import { LuaTable, type LuaValue } from './values.ts';

/** Redis to Lua: nil becomes false, a status `{ok=…}`, an error `{err=…}`. */
export function toLua(reply: Reply): LuaValue {
  if (reply === null) return false;
  if (Array.isArray(reply)) return LuaTable.of(reply.map(toLua));
  if (reply instanceof Status) return LuaTable.named({ ok: reply.text });
  if (reply instanceof ReplyError) return LuaTable.named({ err: reply.message });
  return reply;
}

/**
 * Lua to Redis: numbers lose their fraction, true is 1, false and nil are nil, a list ends at its
 * first nil. https://redis.io/docs/latest/develop/programmability/lua-api/#lua-to-resp2-type-conversion
 */
export function toReply(value: LuaValue): Reply {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) + 0 : -(2 ** 63);
  if (typeof value === 'string') return value;
  if (value === true) return 1;
  if (!(value instanceof LuaTable)) return null;
  const [error, ok] = [value.get('err'), value.get('ok')];
  if (typeof error === 'string') return new ReplyError(error);
  if (typeof ok === 'string') return new Status(ok);
  return Array.from({ length: value.length }, (_, index) => toReply(value.get(index + 1)));
}
