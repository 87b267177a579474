-- Metatables as guests set them: without finalizers, which run with hooks off; without weak keys, whose chains cost the
-- collector the square of their number in one go (such a table holds its keys like any other; weak values are weak); and
-- with `__close` behind the gate.
--
-- A table that serves as a metatable gets a guard, a metatable of its own, which refuses these fields later on. A guest
-- sees none of it: `getmetatable` gives what was set.
local kernel = ...
local error, next, rawget, rawset, select, type = error, next, rawget, rawset, select, type
local gsub, sub = string.gsub, string.sub
local set, get, raw_set, raw_get = setmetatable, getmetatable, debug.setmetatable, debug.getmetatable
local is_over = kernel.is_over

-- Keys of guards and copies: the metatable that stands in for the guarded one, what was copied, and whether it was.
local REAL, ORIGINAL, COPIED = {}, {}, {}
-- The key of a metatable of the host's in which a table remembers what of it is none; see `values.lua`. To a guest, and
-- for whatever the guest wants of its table, there is no such metatable.
local MEMORY = {}
kernel.MEMORY = MEMORY

local function check_key(key, level)
  if key == "__gc" then error("__gc is not available", level + 1) end
  if key == "__mode" or key == "__close" then error(key .. " must be in a metatable before it is set", level + 1) end
end

-- A copy for the engine, which a guest cannot change. (Methods are found through `__index`, so new ones still count.)
local function copy_of(metatable)
  local copy = {}
  for key, value in next, metatable do copy[key] = value end
  copy[ORIGINAL] = rawget(metatable, ORIGINAL) or metatable
  return copy
end

local function close_by(handler)
  return function(value, problem)
    if is_over(problem) then return end
    return handler(value, problem)
  end
end

-- Whether a key has been added is told by `__newindex`; that of the guard goes on to the one that was there.
local function guarded(previous, guard)
  return function(target, key, value)
    check_key(key, 2)
    if guard and guard[COPIED] and type(key) == "string" and sub(key, 1, 2) == "__" then
      error(key .. " must be in a metatable before it is set", 2)
    end
    if previous == nil then
      rawset(target, key, value)
    elseif type(previous) == "function" then
      previous(target, key, value)
    else
      previous[key] = value
    end
  end
end

local GUARD = { [REAL] = true, __newindex = guarded() } -- for most: no metatable of their own, and none stands in

-- What a copy stands in for must not get a metamethod that the copy lacks.
local function mark_copied(metatable)
  local its = raw_get(metatable)
  if its == GUARD then
    its = { [REAL] = true }
    its.__newindex = guarded(nil, its)
    raw_set(metatable, its)
  end
  if its and rawget(its, REAL) then its[COPIED] = true end
end

-- Gives a metatable its guard, in place of the metatable that it has.
local function guard(metatable, real)
  local own = raw_get(metatable)
  if own and rawget(own, MEMORY) then own = nil end
  if own == nil and real == true then return raw_set(metatable, GUARD) end
  local new = own and copy_of(own) or {}
  if own then mark_copied(new[ORIGINAL]) end
  new[REAL], new[COPIED] = real, real ~= true or own == metatable
  new.__newindex = guarded(new.__newindex, new)
  raw_set(metatable, new)
end

-- Returns what the engine gets for a metatable that no table has yet; true for the metatable itself.
local function take(metatable)
  if rawget(metatable, "__gc") ~= nil then error("setmetatable: __gc is not available", 3) end
  local real, handler, mode = true, rawget(metatable, "__close"), rawget(metatable, "__mode")
  if handler ~= nil or mode ~= nil then real = copy_of(metatable) end
  if type(mode) == "string" then real.__mode = gsub(mode, "k", "") end
  if handler ~= nil then real.__close = close_by(handler) end
  guard(metatable, real)
  return real
end

local function real_of(target)
  local own = raw_get(target)
  return own and rawget(own, REAL)
end

function kernel.setmetatable(target, ...)
  local metatable = ...
  if type(target) ~= "table" or metatable == nil and select("#", ...) == 0 then return set(target, ...) end
  local real = metatable
  if type(metatable) == "table" then
    real = real_of(metatable)
    if real == nil then real = take(metatable) end
    if real == true then real = metatable end
  end
  local standing_in = real_of(target)
  set(target, real)
  if standing_in then guard(target, standing_in) end
  return target
end

function kernel.getmetatable(...)
  local found = get(...)
  if type(found) ~= "table" then return found end
  local original = rawget(found, ORIGINAL)
  if original ~= nil then return original end
  return rawget(found, REAL) == nil and rawget(found, MEMORY) == nil and found or nil
end

function kernel.rawset(...)
  local target, key = ...
  if type(target) == "table" and real_of(target) then check_key(key, 2) end
  return rawset(...)
end
