-- The module `registry`: entries as data (specification: system facts 4.4).
local kernel, get, find = ...
local type = type
local find_text, sub = string.find, string.sub
local MOST_ID = 4096
local checked, send, invalid = kernel.checked, kernel.send, kernel.invalid

local registry = { get = checked("registry.get", "string", get) }

function registry.find(filter)
  if filter ~= nil and type(filter) ~= "table" then return invalid("registry.find expects a table, got a " .. type(filter)) end
  return send(find, "", filter or {})
end

function registry.parse_id(id)
  if type(id) ~= "string" then return invalid("registry.parse_id expects a string, got a " .. type(id)) end
  if #id > MOST_ID then return invalid("registry.parse_id: an id has at most " .. MOST_ID .. " bytes") end
  local colon = find_text(id, ":", 1, true)
  return { ns = colon and sub(id, 1, colon - 1) or "", name = colon and sub(id, colon + 1) or id }
end

kernel.offer("registry", registry)
