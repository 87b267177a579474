-- Metatables as guests set them: without finalizers, which run with hooks off; without weak keys, whose chains cost the
-- collector the square of their number in one go (such a table holds its keys like any other; weak values are weak); and
-- with `__close` behind the gate. What is put into a metatable after that is Lua's own: who does so to escape a limit
-- belongs into the sandbox, and after the end of a call no handler begins (see guard.lua).
local kernel = ...
local error, rawget, rawset, type = error, rawget, rawset, type
local find, gsub, set, get = string.find, string.gsub, setmetatable, getmetatable
local state, is_over = kernel.state, kernel.is_over

-- The key of a metatable of the host's in which a table remembers what of it is none; see `values.lua`. To a guest, and
-- for whatever the guest wants of its table, there is no such metatable.
local MEMORY = {}
kernel.MEMORY = MEMORY

local asks = set({}, { __mode = "k" }) -- handler -> whether it is one that asks first

local function asking(handler)
  local function close(value, problem)
    if not (state.stopping or is_over(problem)) then return handler(value, problem) end
  end
  asks[close] = true
  return close
end

function kernel.setmetatable(target, ...)
  local metatable = ...
  if type(metatable) == "table" then
    if rawget(metatable, "__gc") ~= nil then error("setmetatable: __gc is not available", 2) end
    local mode, handler = rawget(metatable, "__mode"), rawget(metatable, "__close")
    if type(mode) == "string" and find(mode, "k", 1, true) then rawset(metatable, "__mode", (gsub(mode, "k", ""))) end
    if handler ~= nil and not asks[handler] then rawset(metatable, "__close", asking(handler)) end
  end
  return set(target, ...)
end

function kernel.getmetatable(...)
  local found = get(...)
  if type(found) == "table" and rawget(found, MEMORY) ~= nil then return nil end
  return found
end
