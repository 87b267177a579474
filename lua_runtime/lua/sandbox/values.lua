-- Values cross as runs of bytes that C writes and reads (sandbox/c/runs.h). In the host's Lua code a run of a guest's
-- values is a piece, one object; its length counts as 1.
local kernel = ...
local native, rawequal, setmetatable = kernel.native, rawequal, setmetatable
local parts, new_error, is_object, resource_held, sealed =
  kernel.error_parts, kernel.new_error, kernel.is_object, kernel.resource_held, kernel.sealed
local flatten, null = native.flatten, kernel.null

local NONES_PASS, RESOURCES_PASS = 1, 2
local MOST_BYTES = 128 * 1024 * 1024 -- as in interop.budget
local ERROR_BYTES = 1024 * 1024 -- of what an error carries, for the host may have to keep it

-- For C, of a table with a metatable: false if it is null, what it is if it is not plain, its number if it is a resource, and whether it must
-- not be changed.
native.set("special", function(value)
  if rawequal(value, null) then return false, nil, true end
  if parts[value] then return "an error object (return it as the second value)", nil, true end
  local class, resource = is_object[value], resource_held[value]
  if class then return "a " .. class .. " object", resource and resource.number, true end
  return nil, nil, sealed[value]
end)
native.set("shape", kernel.shape_of)
native.set("resource", kernel.resource)

-- Returns an empty table that is a record as long as it is empty.
local EMPTY_RECORD = { [kernel.MEMORY] = {} }
function kernel.new_record() return setmetatable({}, EMPTY_RECORD) end
native.set("empty_record", EMPTY_RECORD)

function kernel.flatten(base, ...) return flatten(0, MOST_BYTES, base, ...) end
function kernel.flatten_result(value) return flatten(RESOURCES_PASS, MOST_BYTES, "$.result", value) end
function kernel.flatten_error(base, value) return flatten(0, ERROR_BYTES, base, value) end
function kernel.leave(piece, length) return length, piece end
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
