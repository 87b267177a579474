-- Values cross as runs of bytes that C writes and reads (sandbox/c/runs.h). In the host's Lua code a run of a guest's
-- values is a piece, one object; its length counts as 1.
local kernel = ...
local native = kernel.native
local parts, new_error, is_object, resource_held, sealed =
  kernel.error_parts, kernel.new_error, kernel.is_object, kernel.resource_held, kernel.sealed
local flatten, memory_of, new_record = native.flatten, native.memory_of, native.new_record
local next, type, rawget, rawset, rawequal, null = next, type, rawget, rawset, rawequal, kernel.null

local NONES_PASS, RESOURCES_PASS = 1, 2
local MOST_BYTES = 128 * 1024 * 1024 -- as in interop.budget
local ERROR_BYTES = 1024 * 1024 -- of what an error carries, for the host may have to keep it

-- For C, of a table with a metatable: what it is if it is not plain (false for null), its number if it is a resource, and whether it must
-- not be changed.
native.set("special", function(value)
  if rawequal(value, null) then return false, nil, true end
  if parts[value] then return "an error object (return it as the second value)", nil, true end
  local class, resource = is_object[value], resource_held[value]
  if class then return "a " .. class .. " object", resource and resource.number, true end
  return nil, nil, sealed[value]
end)
native.set("resource", kernel.resource)

function kernel.flatten(base, ...) return flatten(0, MOST_BYTES, base, ...) end
function kernel.flatten_result(value) return flatten(RESOURCES_PASS, MOST_BYTES, "$.result", value) end
function kernel.flatten_error(base, value) return flatten(0, ERROR_BYTES, base, value) end
function kernel.leave(piece, length) return length, piece end
kernel.new_record = new_record
function kernel.read_fed(_, ...) return ... end

local function failure(message, kind, retryable, token, trace, details)
  return new_error({
    message = message, kind = kind, retryable = retryable, token = token, trace = trace, details = details,
  })
end

-- What a host function gives: one value; or nil, a word, and what the word says.
local function receive(value, word, ...)
  if word == nil then return value end
  if word == "value" then return (...) end
  return nil, failure(...)
end

local function hand_over(host, first, piece) return receive(host(first, piece)) end

local function misfit(kind, path, expected, got)
  return new_error({ message = path .. ": expected " .. expected .. ", got " .. got, kind = kind })
end

local function sent(host, first, fits, piece, expected, got)
  if not fits then return nil, misfit("Invalid", piece, expected, got) end
  return receive(host(first, piece))
end

-- Calls a host function with a string and values of any shape.
function kernel.send(host, first, ...) return sent(host, first, flatten(0, MOST_BYTES, "$.args", ...)) end

function kernel.send_arguments(host, first, ...)
  return sent(host, first, flatten(NONES_PASS + RESOURCES_PASS, MOST_BYTES, "$.args", ...))
end

kernel.misfit, kernel.hand_over, kernel.receive, kernel.measure = misfit, hand_over, receive, native.measure
kernel.IS_SCALAR = { ["nil"] = true, boolean = true, number = true, string = true }

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
