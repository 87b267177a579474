-- Values cross as runs of bytes that C writes and reads (sandbox/c/runs.h). In the host's Lua code a run of a guest's
-- values is a piece, one object; its length counts as 1.
local kernel = ...
local native, rawequal = kernel.native, rawequal
local parts, is_object, resource_held, sealed =
  kernel.error_parts, kernel.is_object, kernel.resource_held, kernel.sealed
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
native.set("empty_record", kernel.EMPTY_RECORD)

function kernel.flatten(base, ...) return flatten(0, MOST_BYTES, base, ...) end
function kernel.flatten_arguments(...) return flatten(NONES_PASS + RESOURCES_PASS, MOST_BYTES, "$.args", ...) end
function kernel.flatten_result(value) return flatten(RESOURCES_PASS, MOST_BYTES, "$.result", value) end
function kernel.flatten_error(base, value) return flatten(0, ERROR_BYTES, base, value) end
function kernel.leave(piece, length) return length, piece end
function kernel.hand(host, first, piece) return host(first, piece) end
function kernel.read_all(_, ...) return ... end

kernel.measure = native.measure
