-- What surrounds a script in Redis: the globals it may use, redis.*, how its errors are told.
-- https://redis.io/docs/latest/develop/programmability/lua-api/
local call, protected_call, sha1hex = ...
local getinfo, raw_error, type, xpcall = debug.getinfo, error, type, xpcall

-- Messages name the script's line: level 3 is whoever used the table.
local function readonly(members, missing)
  return setmetatable({}, {
    __index = function(_, name)
      local member = members[name]
      if member == nil and missing then missing(tostring(name)) end
      return member
    end,
    __newindex = function() raw_error('Attempt to modify a readonly table', 2) end,
    __metatable = false,
  })
end

local function refusing(unplayed, otherwise)
  return function(name)
    if unplayed:find(' ' .. name .. ' ', 1, true) then
      raw_error("the stand-in does not play '" .. name .. "' in scripts", 3)
    end
    if otherwise then raw_error(otherwise:format(name), 3) end
  end
end

local function single(name, text)
  if type(text) ~= 'string' then return { err = 'ERR wrong number or type of arguments' } end
  return { [name] = text }
end

local redis = {
  call = call, pcall = protected_call, sha1hex = sha1hex,
  error_reply = function(text)
    local reply = single('err', text)
    local bare = reply.err:gsub('^%-', '')
    return { err = bare:find(' ', 1, true) and bare or 'ERR ' .. bare }
  end,
  status_reply = function(text) return single('ok', text) end,
  log = function() end,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
}

local globals = { redis = readonly(redis, refusing(
  ' REDIS_VERSION REDIS_VERSION_NUM acl_check_cmd breakpoint debug replicate_commands set_repl setresp ')) }
for name in ([[_VERSION assert collectgarbage error gcinfo getmetatable ipairs load loadstring next
  pairs pcall rawequal rawget rawset select setmetatable tonumber tostring type unpack xpcall]])
  :gmatch('%S+') do
  globals[name] = _G[name]
end
for _, name in ipairs({ 'coroutine', 'math', 'string', 'table' }) do
  globals[name] = readonly(_G[name])
end
local sandbox = readonly(globals, refusing(' bit cjson cmsgpack struct ',
  "Script attempted to access nonexistent global variable '%s'"))
globals._G = sandbox

-- Where in the script it happened, as Redis appends it to the message.
local function located(err)
  if type(err) ~= 'table' then err = { err = 'ERR ' .. tostring(err) } end
  local level, info = 2, getinfo(2, 'Sl')
  while info and info.source ~= '@user_script' do
    level = level + 1
    info = getinfo(level, 'Sl')
  end
  return { err = err.err, line = info and info.currentline }
end

-- Code that a script loads sees the sandbox as well.
setfenv(0, sandbox)
return function(script, keys, argv)
  globals.KEYS, globals.ARGV = keys, argv
  return xpcall(script, located)
end
