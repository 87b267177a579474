-- The module `json` (specification: system facts 4.4).
local kernel, encode, decode = ...
local type = type
local flatten, hand_over, misfit = kernel.flatten, kernel.hand_over, kernel.misfit
local receive, new_error = kernel.receive, kernel.new_error

local json = {}

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

kernel.offer("json", json)
