-- The module `json` (specification: system facts 4.4).
local kernel, encode, decode = ...
local type, handed, null = type, kernel.handed, kernel.null

local json = { null = null, object = kernel.new_record, decode = kernel.checked("json.decode", "text", decode) }

function json.encode(value)
  if value == nil then return "null" end
  return handed("Internal", encode, value)
end

-- Takes what json.decode gives, error and all, or any other value.
function json.with_nulls(value, err)
  if err ~= nil then return nil, err end
  if value == nil then return null end
  if type(value) == "table" and not (kernel.sealed[value] or kernel.error_parts[value]) then kernel.put_nulls(value) end
  return value
end

kernel.offer("json", json)
