-- Stopping a guest: a count hook asks the host, and whatever could catch the error that unwinds passes it on.
local kernel, expired, has_cap = ...
local collectgarbage, error, type = collectgarbage, error, type
local pcall, xpcall, sethook = pcall, xpcall, debug.sethook
local create, resume, close, status = coroutine.create, coroutine.resume, coroutine.close, coroutine.status

local STOPPED, NO_MEMORY = "the call was stopped", "not enough memory"
-- A check costs about as much as 50 instructions. One instruction may be long: an operator on huge strings.
local INSTRUCTIONS = 1000
-- Hooks do not fire inside C functions: so what these go through counts as well, in bytes.
local MOST_WORK = 1024 * 1024

-- These C functions keep a buffer of a kilobyte on the native stack while they call back, and 32 states may be nested in
-- one chain of calls: Lua's own limit of 200 levels is too much for them.
local MOST_NESTED = 16

local stopping = false -- goes on once: such a state is discarded
local nested = 0 -- calls of `limit_nesting` functions that have not returned
local state = { armed = false } -- whether the running call may be stopped
local worked = 0 -- bytes that C functions went through since the host was last asked
local hooked = setmetatable({}, { __mode = "k" })

local function stop()
  stopping = true
  error(STOPPED, 0)
end

local function hook()
  -- After the first time the host is not asked again: nothing the guest runs while it unwinds may last.
  if stopping or expired() then stop() end
end

local function is_fatal(caught)
  -- A userdata is an exception that arose in Python outside of our reach, such as KeyboardInterrupt.
  -- Without a cap the text can only be a guest's own, or of a host without memory, which no answer helps. With one, Lua
  -- itself makes a memory error of a guest's `error("not enough memory", 0)`, which no handler sees: it ends the call too.
  return has_cap and caught == NO_MEMORY or type(caught) == "userdata"
end

-- Every way of catching an error ends here; `before` is what `nested` was when it began.
local function caught(before, ok, ...)
  nested = before
  -- At the end of the C stack the hook itself fails, with an error like any other: so each caught error is a check.
  if stopping or (state.armed and not ok and expired()) then stop() end
  if not ok and is_fatal((...)) then error((...), 0) end
  return ok, ...
end

-- A coroutine does not share its creator's hook.
local function arm_coroutine(thread)
  if (hooked[thread] or false) ~= state.armed and type(thread) == "thread" then
    hooked[thread] = state.armed
    if state.armed then sethook(thread, hook, "", INSTRUCTIONS) else sethook(thread) end
  end
end

local function wrapped(thread, before, ok, ...)
  if ok and not stopping then return ... end
  caught(before, ok, ...)
  -- Not before `caught`: a coroutine that a hook stopped would run its __close handlers with hooks off.
  local closed, other = caught(before, close(thread))
  error(closed and (...) or other, 0)
end

local function hook_at_once()
  sethook(hook, "", INSTRUCTIONS)
  hook()
end

-- `..` on huge strings is one instruction, but it makes garbage: so each round of the collector makes the next
-- instruction ask. (What a finalizer raises is lost; the hook that it sets is not.)
local watched = false
local function watch()
  watched = true
  local function collected()
    watched = false
    if not state.armed then return end
    sethook(hook_at_once, "", 1)
    watch()
  end
  setmetatable({}, { __gc = collected })
end

kernel.stop, kernel.state = stop, state

-- Says before or after a C function runs how many bytes it goes through: the hook of what no hook sees.
function kernel.work(amount)
  if not state.armed then return end
  worked = worked + amount
  if worked < MOST_WORK then return end
  worked = 0
  hook()
end

-- Asks the host now; between pieces of work that are long by themselves.
function kernel.check()
  if state.armed then hook() end
end

function kernel.arm()
  state.armed = true
  if not watched then watch() end
  sethook(hook, "", INSTRUCTIONS)
end

function kernel.disarm(...)
  sethook()
  state.armed = false
  return ...
end

function kernel.is_stopping() return stopping end

local function returned(...)
  nested = nested - 1
  return ...
end

function kernel.limit_nesting(name, plain)
  return function(...)
    if nested == MOST_NESTED then error(name .. ": more than " .. MOST_NESTED .. " calls inside of each other", 2) end
    nested = nested + 1
    return returned(plain(...))
  end
end

function kernel.unwound() nested = 0 end

kernel.NO_MEMORY = has_cap and NO_MEMORY or nil

-- C's buffers, unlike all else, make no room for themselves: a function that found none gets a second chance. Only for
-- functions that may run twice.
function kernel.with_room(make)
  if not has_cap then return make end
  return function(...)
    local ok, made, second = pcall(make, ...)
    if ok then return made, second end
    if made == NO_MEMORY then collectgarbage() end
    return make(...) -- raises where the guest's frame is near enough to be named
  end
end

function kernel.pcall(...) return caught(nested, pcall(...)) end

function kernel.xpcall(body, handler, ...)
  if type(handler) ~= "function" then error("bad argument #2 to 'xpcall' (function expected)", 2) end
  -- A handler runs where the error was raised: in a hook, that is with hooks off.
  local function checked(value)
    if stopping or is_fatal(value) then return value end
    return handler(value)
  end
  return caught(nested, xpcall(body, checked, ...))
end

kernel.coroutine = {
  create = create,
  status = status,
  yield = coroutine.yield,
  running = coroutine.running,
  isyieldable = coroutine.isyieldable,
  resume = function(thread, ...)
    arm_coroutine(thread)
    return caught(nested, resume(thread, ...))
  end,
  close = function(thread)
    arm_coroutine(thread)
    return caught(nested, close(thread))
  end,
  wrap = function(body)
    local thread = create(body)
    return function(...)
      arm_coroutine(thread)
      return wrapped(thread, nested, resume(thread, ...))
    end
  end,
}
