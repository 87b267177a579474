-- The gate: all that a guest reaches of the host goes through `gate`, and whatever could catch the error that unwinds a
-- stopped call passes it on. A count hook asks the host whether the call is still wanted.
--
-- Once a call is stopped, nothing of the guest runs: `pcall`, `xpcall` and the coroutine functions raise again, to-be-closed
-- handlers are passed over (see metatables.lua), a coroutine's are abandoned with it, and a hook refuses what remains.
local kernel, ask, restore_limit = ...
local located = kernel.located
local collectgarbage, error, rawequal, select, setmetatable, type = collectgarbage, error, rawequal, select, setmetatable, type
local pcall, xpcall, min, max, clock, sub = pcall, xpcall, math.min, math.max, os.clock, string.sub
local sethook, getinfo = debug.sethook, debug.getinfo
local create, resume, close, status = coroutine.create, coroutine.resume, coroutine.close, coroutine.status

local STOPPED, NO_MEMORY, DEAD = "the call was stopped", "not enough memory", "cannot resume dead coroutine"
-- Instructions between two looks at the clock. One, or the function of C that it calls, may take long, in proportion to what
-- the state holds: so a state that holds more looks more often, and begins with few; there are eight times as many each time
-- that the last ones were quick. The host, which takes ten times as long to answer, is asked when so much of the
-- processor's time has passed.
local MOST_INSTRUCTIONS, LEAST_INSTRUCTIONS, FIRST_INSTRUCTIONS = 4096, 128, 8 -- the most take some 30 microseconds
local HOLDS_LITTLE = 1024 -- KiB of a state that is looked at least often
local ASK_SECONDS, SLOW_SECONDS = 0.002, 0.005

local reason -- what stopped the call, if it was an error of the engine or of Python: it never leaves this file but to Python
local pending -- such an error on its way into `reason`: a full stack may have no room for the way
-- Whether the running call may be stopped, and whether it was: that goes on, for such a state is discarded.
local state = { armed = false, stopping = false }
local interval, most = MOST_INSTRUCTIONS, MOST_INSTRUCTIONS -- of the running hook, and what the state's size allows
local asked_at, seen_at = 0, 0 -- when the host was last asked and the clock looked at, in seconds of the processor's time
local hooked = setmetatable({}, { __mode = "k" }) -- coroutine -> the interval of its hook

local hook

local function refuse_guests()
  if sub(getinfo(2, "S").source, 1, 1) == "@" then error(STOPPED, 0) end
end

-- From here on no function of the guest's begins.
local function halt(why)
  sethook(refuse_guests, "c")
  state.stopping, reason = true, reason or why
end

local function stop(why)
  halt(why)
  error(STOPPED, 0)
end

-- A userdata is an exception that arose in Python, such as KeyboardInterrupt. Under a memory limit its text tells that memory
-- ran out: a guest that raises the same text ends its own call.
local function is_fatal(problem) return problem == NO_MEMORY and restore_limit ~= nil or type(problem) == "userdata" end

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

-- The host lifts the memory limit while it pushes values.
local function restore() answered(pcall(restore_limit)) end

local function restored(ok, ...)
  if ok then restore() end
  return answered(ok, ...)
end

local come_back = restore_limit and restored or answered

-- Returns the way to a host function. C's pcall stands directly around it: what it raises meets nothing of the guest's.
local function gate(host)
  return function(...)
    if state.stopping then stop() end
    return come_back(pcall(host, ...))
  end
end

-- Sets how soon the clock is looked at again; only where that changes, for to set a hook, Lua goes through the whole stack.
local function set_interval(wanted)
  if wanted == interval then return end
  interval = wanted
  sethook(hook, "", wanted)
end

local function pace()
  local fit, allowed = MOST_INSTRUCTIONS * HOLDS_LITTLE / collectgarbage("count"), MOST_INSTRUCTIONS
  while allowed > fit and allowed > LEAST_INSTRUCTIONS do allowed = allowed // 2 end
  set_interval(allowed < most and FIRST_INSTRUCTIONS or min(interval, allowed))
  most = allowed
end

-- Asks the host whether the call is still wanted.
local function look()
  if state.stopping then stop() end
  asked_at = clock()
  local ok, over = pcall(ask)
  if not ok then answered(ok, over) end
  if over then stop() end
  pace()
end

function hook()
  local now = clock()
  if now - seen_at > SLOW_SECONDS then
    set_interval(max(interval // 16, 1))
  elseif interval < most then
    set_interval(min(8 * interval, most)) -- not one by one: on a deep stack each costs a millisecond
  end
  if state.stopping or now - asked_at >= ASK_SECONDS then look() end
  seen_at = clock() -- what it took to set a hook on a deep stack is not the guest's
end

local function hook_at_once()
  sethook(hook, "", interval)
  look()
end

-- Each round of the collector makes the next instruction ask, for `..` and functions of C make much of little in few
-- instructions. (What a finalizer raises is lost; the hook that it sets is not.)
local function watch()
  setmetatable({}, { __gc = function()
    if state.armed and not state.stopping then sethook(hook_at_once, "", 1) end
    watch()
  end })
end

-- Whether the call must not go on, given what was raised: then no handler runs, of an error or of a variable to be closed.
local function is_over(problem)
  if pending ~= nil and is_fatal(pending) then problem = pending end
  pending = nil
  if not state.stopping and is_fatal(problem) then halt(problem) end
  return state.stopping
end

-- Every way of catching an error ends here.
local function caught(ok, ...)
  if not ok and is_over((...)) or state.stopping then stop() end
  -- At the end of the C stack the hook itself fails, with an error like any other: so each caught error is a check.
  if not ok and state.armed then hook() end
  return ok, ...
end

-- A coroutine does not share its creator's hook.
local function arm_coroutine(thread)
  if state.stopping then stop() end
  local wanted = state.armed and interval or false
  if (hooked[thread] or false) ~= wanted and type(thread) == "thread" then
    hooked[thread] = wanted
    if wanted then sethook(thread, hook, "", wanted) else sethook(thread) end
  end
end

-- What ended a coroutine, with its place; the stack is still there.
local function placed(thread, problem)
  if type(problem) ~= "string" or problem == DEAD or status(thread) ~= "dead" then return problem end
  return (located(problem, 0, thread))
end

-- What ran in a coroutine may have changed the interval.
local function resumed(thread, before, ok, ...)
  if before ~= interval and state.armed then sethook(hook, "", interval) end
  caught(ok, ...)
  if ok then return ok, ... end
  return ok, placed(thread, (...))
end

local function wrapped(thread, before, ok, ...)
  if ok and not state.stopping and before == interval then return ... end
  local _, problem = resumed(thread, before, ok, ...)
  if ok then return ... end
  if status(thread) ~= "dead" then error(problem, 2) end -- one that resumes itself
  -- Not before `caught`: a coroutine that a hook stopped would run its __close handlers with hooks off.
  local closed, other = caught(close(thread)) -- gives the same problem, or that of a handler
  if closed or rawequal(other, (...)) then other = problem end
  error(other, 2) -- as Lua does, with the place of the call in front of a text
end

kernel.stop, kernel.state, kernel.is_over, kernel.restore_limit = stop, state, is_over, restore_limit and restore

-- Takes what polycall.lua_runtime.compiling made; it knows its name.
function kernel.load(code, name, environment) return load(code, name, "b", environment) end

-- Runs a file of the host's own. Each function of the host's is given as its gate.
function kernel.install(code, ...)
  local given = { ... }
  for at = 1, select("#", ...) do
    if type(given[at]) == "userdata" then given[at] = gate(given[at]) end
  end
  return load(code, "", "b")(kernel, table.unpack(given, 1, select("#", ...)))
end

function kernel.arm()
  state.armed, most, interval = true, MOST_INSTRUCTIONS, 2 * MOST_INSTRUCTIONS -- more than any, so that `pace` sets the hook
  asked_at, seen_at = 0, clock()
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

-- An error's handler runs where it was raised: in a hook, that is with hooks off.
local function located_error(problem)
  if type(problem) ~= "string" or is_over(problem) then return problem end
  return (located(problem, 2)) -- no tail call, for the count of levels
end

local function relayed(body, ...) return xpcall(body, located_error, ...) end

function kernel.pcall(...)
  if state.stopping then stop() end
  if (...) == nil then return caught(pcall(...)) end
  return caught(relayed(...))
end

function kernel.xpcall(body, handler, ...)
  if type(handler) ~= "function" then return xpcall(body, handler) end -- which says so
  local function checked(value)
    if is_over(value) then return value end
    if type(value) == "string" then value = located(value, 2) end
    return handler(value)
  end
  if state.stopping then stop() end
  return caught(xpcall(body, checked, ...))
end

kernel.coroutine = {
  resume = function(thread, ...)
    arm_coroutine(thread)
    return resumed(thread, interval, resume(thread, ...))
  end,
  close = function(thread)
    arm_coroutine(thread)
    return resumed(thread, interval, close(thread))
  end,
  wrap = function(body)
    local thread = create(body)
    return function(...)
      arm_coroutine(thread)
      return wrapped(thread, interval, resume(thread, ...))
    end
  end,
}

watch()
