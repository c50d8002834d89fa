/**
 * One hash a provider, all times in µs of Redis' own clock. Calls and tokens each have a bucket that fills
 * by one unit in `every` (`everyToken`): it was empty at `empty` (`emptyToken`), and holds what fills it in
 * `burst` (`burstToken`). `serial` and `tokens` count all that was granted; since serial `from` the pace
 * has grown, to the double when `grow` was spent on calls. Before `blocked` nobody has a turn; after the
 * first that has one then, nobody for `probe`. `queue` is the end of the line of those told to come again.
 * `marks` are times and serials, of the first call and of 15 to 30 s ago, while no pace is known.
 */
const read = `#!lua flags=allow-key-locking
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local names = {'version', 'serial', 'tokens', 'every', 'grow', 'from', 'burst', 'empty', 'everyToken',
  'burstToken', 'emptyToken', 'blocked', 'probe', 'queue', 'synced', 'check', 'quota',
  'begun', 'time1', 'serial1', 'time2', 'serial2', 'speed', 'last', 'refused', 'stage'}
local values = redis.call('HMGET', KEYS[1], unpack(names))
local is = {}
for i, name in ipairs(names) do is[name] = tonumber(values[i]) or 0 end
local function every(set)
  local known = is.every
  if known > 0 and is.grow > 0 then
    known = known / (1 + (is.serial - is.from) * known / is.grow)
  end
  return math.max(set, known)
end
local function write(fields)
  local words = {}
  for _, name in ipairs(fields) do
    words[#words + 1] = name
    words[#words + 1] = string.format('%.0f', is[name])
  end
  redis.call('HSET', KEYS[1], unpack(words))
  redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(120000, (is.blocked - now) / 1000 + 60000)))
end
`;

/**
 * Gives turns to the first of those who wait, as long as they begin within the horizon, and the rest a
 * place in the line. ARGV: µs for a call and for a token as set (0: not), their tolerance, the horizon,
 * the longest wait, the place (µs, 0: none), 1 if only calls without a limit are to be counted, how many
 * wait, calls made and tokens given back that nobody has counted; what a header said: after which serial,
 * after how many tokens, remaining calls and tokens (-1: not said), its age; then the tokens of each call.
 */
export const takeScript = `${read}
local arg = {}
for i, word in ipairs(ARGV) do arg[i] = tonumber(word) end
local tolerance, horizon, longest, place, only_free = arg[3], arg[4], arg[5], arg[6], arg[7] == 1
local counted = is.serial
is.serial = is.serial + arg[9]
is.tokens = is.tokens - arg[10]
is.refused = is.refused + arg[16]
local token = math.max(arg[2], is.everyToken)
is.emptyToken = is.emptyToken - arg[10] * token
local call = every(arg[1])
local closed = is.blocked > now
local free = call == 0 and token == 0 and not closed
local burst = (is.every > 0 and (arg[1] == 0 or is.synced > 0)) and is.burst or tolerance
local burst_token = (is.everyToken > 0 and (arg[2] == 0 or is.synced > 0)) and is.burstToken or tolerance
if is.empty == 0 then is.empty, is.emptyToken = now - call, now end
if now - is.synced > 400000 and (arg[13] >= 0 or arg[14] >= 0) then
  is.synced = now
  if arg[13] >= 0 and call > 0 then
    local left = arg[13] - 2 - burst / call / 100 - (is.serial - arg[11])
    is.empty = now - arg[15] - left * call
  end
  if arg[14] >= 0 and token > 0 then
    local left = arg[14] - burst_token / token / 100 - (is.tokens - arg[12])
    is.emptyToken = now - arg[15] - left * token
  end
end
if is.every == 0 then
  if is.begun == 0 then is.begun, is.time1, is.time2 = now, now, now end
  if now - is.time1 > 15000000 then
    is.time2, is.serial2, is.time1, is.serial1 = is.time1, is.serial1, now, is.serial
  end
end
local function next_at(cost)
  is.empty = math.max(is.empty, now - math.max(burst, call))
  is.emptyToken = math.max(is.emptyToken, now - math.max(burst_token, cost * token))
  return math.max(now, is.empty + call, is.emptyToken + cost * token)
end
local before, tokens_before = is.serial, is.tokens
local turns, ahead = {}, 0
local guessing = is.stage == 1 and 1 or 0
-- Whoever has a turn does not hear of a refusal: while refusals are to be expected they are few.
if guessing == 1 then horizon = horizon / 5 end
local due = place > 0 and place <= now + 5000
if #arg > 16 and not closed and (free or not only_free) then
  -- Who is not due passes those in the line only where a turn would be lost.
  if due then ahead = 4 * horizon elseif place == 0 and (is.queue <= now or guessing == 1) then ahead = horizon end
end
for i = 17, closed and 0 or only_free and not free and 0 or #arg do
  local at = next_at(arg[i])
  if at - now > ahead then break end
  turns[#turns + 1] = math.floor(at - now)
  is.empty = math.max(is.empty, at - math.max(burst, call)) + call
  is.emptyToken = math.max(is.emptyToken, at - math.max(burst_token, arg[i] * token)) + arg[i] * token
  is.serial = is.serial + 1
  is.tokens = is.tokens + arg[i]
  if is.probe > 0 then
    is.blocked = at + is.probe
    is.empty, is.emptyToken, is.probe = math.max(is.empty, is.blocked), math.max(is.emptyToken, is.blocked), 0
    break
  end
end
local spacing = math.max(call, is.serial > 0 and is.tokens / is.serial * token or 0)
local wait, left = -1, arg[8] - #turns
if left > 0 and not only_free then
  local ready = math.max(is.blocked, next_at(arg[17 + #turns] or 0) - horizon)
  if guessing == 1 then
    place = 0
    wait = math.min(math.max(ready - now, 100000), 1000000)
  elseif due and #turns == 0 then
    place = ready
  elseif place == 0 or due then
    place = math.max(now, ready, is.queue)
    -- The line moves a little faster or slower than the pace, so that half a horizon is always given away.
    local lead = (next_at(0) - now) / horizon
    local speed = lead < 0.25 and 0.8 or lead < 0.75 and 1 or 1.1
    if place - now <= longest then
      is.queue = place + math.min(left, #arg - 16) * spacing * speed
    end
  end
  if guessing == 0 then wait = place - now end
end
is.speed = is.speed * math.exp((is.last - now) / 500000) + (is.serial - counted) * 2000
is.last = now
write({'serial', 'tokens', 'empty', 'emptyToken', 'blocked', 'probe', 'queue', 'synced',
  'begun', 'time1', 'serial1', 'time2', 'serial2', 'speed', 'last', 'refused'})
return {is.version, free and 1 or 0, math.max(0, is.blocked - now), is.quota, wait, before,
  tokens_before, is.speed, is.every * 1000, is.everyToken * 1000, is.check, spacing,
  place, unpack(turns)}`;

/**
 * Writes what was learned, unless somebody has learned since; tells all that is known, in either case
 * as it was before. ARGV: the version it was learned from (-1: only tell), µs to block (-1: as it is),
 * calls until the next check (-1: none), 1 to empty the buckets, then names and values.
 */
export const learnScript = `${read}
local pace = every(0) * 1000
if ARGV[1] == '-1' then
  is.refused = is.refused + tonumber(ARGV[5])
  write({'refused'})
end
local told = redis.call('HGETALL', KEYS[1])
if tonumber(ARGV[1]) ~= is.version then
  -- Closed at once; what it means is learned from what is told here.
  if ARGV[1] == '-1' and tonumber(ARGV[2]) >= 0 and is.blocked <= now then
    is.blocked = now + tonumber(ARGV[2])
    write({'blocked'})
  end
  return {0, now, pace, told}
end
for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
is.version = is.version + 1
is.from = is.serial
local block = tonumber(ARGV[2])
if block >= 0 then is.blocked = math.max(is.blocked, now + block) end
is.check = tonumber(ARGV[3]) >= 0 and is.serial + tonumber(ARGV[3]) or 0
if ARGV[4] == '1' then
  is.empty = math.max(is.empty, now, is.blocked)
  is.emptyToken = math.max(is.emptyToken, now, is.blocked)
end
write({'version', 'from', 'blocked', 'check', 'empty', 'emptyToken', 'queue'})
return {1, now, pace, told}`;
