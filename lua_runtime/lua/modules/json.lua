-- The module `json` (specification: system facts 4.4).
local kernel, encode, decode = ...
local type = type
local flatten, hand_over, misfit = kernel.flatten, kernel.hand_over, kernel.misfit
local receive, new_error, null = kernel.receive, kernel.new_error, kernel.null

local json = { null = null, object = kernel.new_record }

function json.encode(value)
  if value == nil then return "null" end
  local ok, flat, length, got = flatten("$", value)
  if not ok then return nil, misfit("Internal", flat, length, got) end
  return hand_over(encode, "", flat, length)
end

function json.decode(text)
  if type(text) ~= "string" or text == "" then
    return nil, new_error({ message = "json.decode expects a non-empty string", kind = "Invalid" })
  end
  return receive(decode(text))
end

-- Takes what json.decode gives, error and all, or any other value.
function json.with_nulls(value, err)
  if err ~= nil then return nil, err end
  if value == nil then return null end
  if type(value) == "table" and not (kernel.sealed[value] or kernel.error_parts[value]) then kernel.put_nulls(value) end
  return value
end

kernel.offer("json", json)
