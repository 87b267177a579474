-- The module `json` (specification: system facts 4.4).
local kernel, encode, decode = ...
local type = type
local flatten, hand_over, misfit = kernel.flatten, kernel.hand_over, kernel.misfit
local receive, invalid, null = kernel.receive, kernel.invalid, kernel.null

local json = { null = null, object = kernel.new_record }

function json.encode(value)
  if value == nil then return "null" end
  local ok, flat, length, got = flatten("$", value)
  if not ok then return nil, misfit("Internal", flat, length, got) end
  return hand_over(encode, "", flat, length)
end

function json.decode(text)
  if type(text) ~= "string" or text == "" then return invalid("json.decode expects a non-empty string") end
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
