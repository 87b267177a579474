-- What a table that came from the host remembers as none, shown to guests.
local kernel = ...
local next, type, rawget, rawset, getmetatable = next, type, rawget, rawset, debug.getmetatable
local MEMORY, null, sealed, parts = kernel.MEMORY, kernel.null, kernel.sealed, kernel.error_parts

local function memory_of(value)
  local metatable = getmetatable(value)
  return metatable and rawget(metatable, MEMORY)
end

-- Returns the key of a table that has just one, whether a value belongs to it or not.
function kernel.only_key(value)
  local nones, key = memory_of(value), next(value)
  local length = type(nones) == "table" and #nones or 0
  if key == nil then return length == 1 and nones[1] or nil end
  return length == 0 and next(value, key) == nil and key or nil
end

local function put_nulls(value)
  local nones = memory_of(value)
  if type(nones) == "table" then
    for _, key in next, nones do
      if rawget(value, key) == nil then rawset(value, key, null) end
    end
  end
  for index = 1, type(nones) == "number" and nones or 0 do
    if rawget(value, index) == nil then rawset(value, index, null) end
  end
end

-- Puts null wherever a table, or one within it, remembers that something is none.
function kernel.put_nulls(top)
  local pending, length, seen = { top }, 1, { [top] = true }
  while length > 0 do
    local value = pending[length]
    length = length - 1
    put_nulls(value)
    for _, item in next, value do
      if type(item) == "table" and not (seen[item] or sealed[item] or parts[item]) then
        length = length + 1
        pending[length], seen[item] = item, true
      end
    end
  end
end
