-- The gate: all that a guest reaches of the host goes through `gate`, and whatever could catch the error that unwinds a
-- stopped call passes it on. A count hook asks the host whether the call is still wanted.
--
-- Once a call is stopped, nothing of the guest runs: `pcall`, `xpcall` and the coroutine functions raise again, to-be-closed
-- handlers are passed over (see metatables.lua), and a coroutine's are abandoned with it.
local kernel, ask, restore_limit = ...
local located = kernel.located
local collectgarbage, error, select, setmetatable, type = collectgarbage, error, select, setmetatable, type
local pcall, xpcall, sethook, min, max, clock = pcall, xpcall, debug.sethook, math.min, math.max, os.clock
local create, resume, close, status = coroutine.create, coroutine.resume, coroutine.close, coroutine.status

local STOPPED, NO_MEMORY = "the call was stopped", "not enough memory"
-- Instructions between two looks at the clock. One may take long, in proportion to what the state holds: it joins or compares
-- two strings, or adds a key to a full table. So a state that holds more looks more often. The host, which takes ten times as
-- long to answer, is asked when so much of the processor's time has passed.
local MOST_INSTRUCTIONS, LEAST_INSTRUCTIONS = 4096, 128 -- some 30 microseconds, and one
local HOLDS_LITTLE = 1024 -- KiB of a state that is looked at least often
local ASK_SECONDS = 0.002
-- A state that has grown by so many KiB, and by a quarter, starts anew with few instructions, and so does one whose last ones took long: each time
-- that they were quick there are eight times as many.
local GROWN, FIRST_INSTRUCTIONS, SLOW_SECONDS = 512, 8, 0.005
local LAST_INSTRUCTIONS = 1 << 20 -- of a call that is stopped
-- Hooks do not fire inside C functions: so what these go through counts as well, in bytes.
local MOST_WORK = 1024 * 1024

-- These C functions keep a buffer of a kilobyte on the native stack while they call back, and 32 states may be nested in
-- one chain of calls: Lua's own limit of 200 levels is too much for them.
local MOST_NESTED = 16

local reason -- what stopped the call, if it was an error of the engine or of Python: it never leaves this file but to Python
local pending -- such an error on its way into `reason`: a full stack may have no room for the way
local nested = 0 -- calls of `limit_nesting` functions that have not returned
-- Whether the running call may be stopped, and whether it was: that goes on, for such a state is discarded.
local state = { armed = false, stopping = false }
local worked = 0 -- bytes that C functions went through since the host was last asked
local interval = MOST_INSTRUCTIONS
local asked_at, seen_at = 0, 0 -- when the host was last asked and the clock looked at, in seconds of the processor's time
local grown_from, most = 0, MOST_INSTRUCTIONS -- KiB in use when growth was last seen, and the interval that is allowed
local hooked = setmetatable({}, { __mode = "k" }) -- coroutine -> the interval of its hook

-- Tells Lua's own "not enough memory" from a guest's, which is the very same text: Lua runs the collector before it gives up,
-- and this dies in each round of it; only C's buffers give up at once.
local canary = setmetatable({}, { __mode = "v" })
local buffering = false -- whether a C function runs that makes such a buffer

local hook

-- From here on nothing of the guest runs, and what is left of the host's own is short: no hook must fire in it.
local function halt(why)
  sethook(hook, "", LAST_INSTRUCTIONS)
  state.stopping, reason = true, reason or why
end

local function stop(why)
  halt(why)
  error(STOPPED, 0)
end

-- A userdata is an exception that arose in Python, such as KeyboardInterrupt.
local function is_fatal(problem)
  return problem == NO_MEMORY and (buffering or canary[1] == nil) or type(problem) == "userdata"
end

-- What the host answers; an exception of Python's stops the call, and is kept here until the guest is unwound.
local function answered(ok, ...)
  if ok then return ... end
  local problem = ...
  pending = problem
  if is_fatal(problem) then stop(problem) end
  pending = nil
  if restore_limit then pcall(restore_limit) end -- the stack had no room for the answer
  error(problem, 0)
end

-- Returns the way to a host function. C's pcall stands directly around it: what it raises meets nothing of the guest's.
local function gate(host)
  return function(...)
    if state.stopping then stop() end
    return answered(pcall(host, ...))
  end
end

-- Sets how soon the clock is looked at again; only where that changes, for to set a hook, Lua goes through the whole stack.
local function set_interval(wanted)
  if wanted == interval then return end
  interval = wanted
  sethook(hook, "", wanted)
end

local function pace()
  local held, allowed = collectgarbage("count"), MOST_INSTRUCTIONS
  local grown = held > grown_from + GROWN + grown_from / 4
  if grown or held < grown_from then grown_from = held end
  local fit = max(MOST_INSTRUCTIONS * HOLDS_LITTLE / held, LEAST_INSTRUCTIONS)
  while allowed > fit do allowed = allowed // 2 end
  most = allowed
  set_interval(min(interval, most, grown and FIRST_INSTRUCTIONS or most))
end

-- `..` on huge strings is one instruction, but it makes garbage: so each round of the collector makes the next
-- instruction ask. (What a finalizer raises is lost; the hook that it sets is not.)
local look

local function hook_at_once()
  sethook(hook, "", interval)
  look()
end

local watch

local function make_sentinel()
  canary[1] = setmetatable({}, { __gc = function()
    if state.armed then sethook(hook_at_once, "", 1) end
    watch()
  end })
end

-- Its parameters wipe what the call before it left on the stack: the collector takes that for alive.
local function wipe(_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _) end

function watch()
  make_sentinel()
  wipe()
end

-- Asks the host whether the call is still wanted.
function look()
  if state.stopping then stop() end
  if not canary[1] then watch() end -- its finalizer found no stack to run on
  worked, asked_at = 0, clock()
  local ok, over = pcall(ask)
  if not ok then answered(ok, over) end
  if over then stop() end
  pace()
end

function hook()
  local now = clock()
  if state.stopping or now - asked_at >= ASK_SECONDS then look() end
  if now - seen_at > SLOW_SECONDS then
    set_interval(max(interval // 16, 1))
  elseif interval < most then
    set_interval(min(8 * interval, most)) -- not one by one: on a deep stack each costs a millisecond
  end
  seen_at = clock() -- what it took to set a hook on a deep stack is not the guest's
end

-- Whether the call must not go on, given what was raised: then no handler runs, of an error or of a variable to be closed.
local function is_over(problem)
  if pending ~= nil and is_fatal(pending) then problem = pending end
  pending = nil
  if not state.stopping and is_fatal(problem) then halt(problem) end
  return state.stopping
end

-- Every way of catching an error ends here; `before` is what `nested` was when it began.
local function caught(before, ok, ...)
  nested = before
  if not ok and is_over((...)) or state.stopping then stop() end
  buffering = false
  -- At the end of the C stack the hook itself fails, with an error like any other: so each caught error is a check.
  if not ok and state.armed then hook() end
  return ok, ...
end

-- Says before or after a C function runs how many bytes it goes through: the hook of what no hook sees.
local function work(amount)
  if not state.armed then return end
  worked = worked + amount
  if worked >= MOST_WORK then look() end
end

-- A coroutine does not share its creator's hook; and each comes with a full count of instructions, which is work.
local function arm_coroutine(thread)
  if state.stopping then stop() end
  local wanted = state.armed and interval or false
  if (hooked[thread] or false) ~= wanted and type(thread) == "thread" then
    hooked[thread] = wanted
    if wanted then sethook(thread, hook, "", wanted) else sethook(thread) end
  end
  work(4 * MOST_WORK // interval)
end

-- What ran in a coroutine may have changed the interval.
local function resumed(before, paced, ...)
  if paced ~= interval and state.armed then sethook(hook, "", interval) end
  return caught(before, ...)
end

local function wrapped(thread, before, paced, ok, ...)
  if ok and not state.stopping and paced == interval then return ... end
  resumed(before, paced, ok, ...)
  if ok then return ... end
  if status(thread) ~= "dead" then error((...), 2) end -- one that resumes itself
  -- Not before `caught`: a coroutine that a hook stopped would run its __close handlers with hooks off.
  local closed, other = caught(before, close(thread))
  error(closed and (...) or other, 2) -- as Lua does, with the place of the call in front of a text
end

kernel.stop, kernel.state, kernel.work, kernel.is_over = stop, state, work, is_over

-- Takes what polycall.lua_runtime.compiling made; it knows its name.
function kernel.load(code, name, environment) return load(code, name, "b", environment) end

-- Runs a file of the host's own. Beyond the first `plain` arguments, each function of the host's is given as its gate.
function kernel.install(code, plain, ...)
  local given = { ... }
  for at = plain + 1, select("#", ...) do
    if type(given[at]) == "userdata" then given[at] = gate(given[at]) end
  end
  return load(code, "", "b")(kernel, table.unpack(given, 1, select("#", ...)))
end

-- Asks the host now; between pieces of work that are long by themselves.
function kernel.check()
  if state.armed then look() end
end

function kernel.arm()
  state.armed, interval, worked = true, 2 * MOST_INSTRUCTIONS, 0 -- more than any, so that `pace` sets the hook
  asked_at, seen_at, grown_from = 0, clock(), 0
  if not canary[1] then watch() end
  pace()
end

function kernel.disarm(...)
  sethook()
  state.armed = false
  return ...
end

-- Says why a call ended that must not go on: "stopped", "memory", or nil. An exception of Python's is raised again, out
-- to Python: nobody but Python may see it.
function kernel.fatal(ok, problem)
  if not ok then is_over(problem) end
  if not state.stopping then return nil end
  if reason == nil then return "stopped" end
  if reason == NO_MEMORY then return "memory" end
  sethook()
  error(reason, 0)
end

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

local function made(...)
  buffering = false
  return ...
end

-- For C functions that make a buffer and run no code of a guest's.
function kernel.buffered(plain)
  if not restore_limit then return plain end
  return function(...)
    buffering = true
    return made(plain(...))
  end
end

-- C's buffers, unlike all else, make no room for themselves: these have a second chance after a collection. For `buffered`
-- functions of one or two results.
function kernel.with_room(plain)
  if not restore_limit then return plain end
  return function(...)
    local ok, first, second = pcall(plain, ...)
    if ok and second == nil then return first end
    if ok then return first, second end
    if first == NO_MEMORY then collectgarbage() end
    buffering = true
    return made(plain(...)) -- raises where the guest's frame is near enough to be named
  end
end

-- An error's handler runs where it was raised: in a hook, that is with hooks off.
local function located_error(problem)
  if type(problem) ~= "string" or is_over(problem) then return problem end
  return (located(problem, 2)) -- no tail call, for the count of levels
end

local function relayed(body, ...) return xpcall(body, located_error, ...) end

function kernel.pcall(...)
  if state.stopping then stop() end
  if (...) == nil then return caught(nested, pcall(...)) end
  return caught(nested, relayed(...))
end

function kernel.xpcall(body, handler, ...)
  if type(handler) ~= "function" then return xpcall(body, handler) end -- which says so
  local function checked(value)
    if is_over(value) then return value end
    if type(value) == "string" then value = located(value, 2) end
    return handler(value)
  end
  if state.stopping then stop() end
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
    return resumed(nested, interval, resume(thread, ...))
  end,
  close = function(thread)
    arm_coroutine(thread)
    return resumed(nested, interval, close(thread))
  end,
  wrap = function(body)
    local thread = create(body)
    return function(...)
      arm_coroutine(thread)
      return wrapped(thread, nested, interval, resume(thread, ...))
    end
  end,
}
