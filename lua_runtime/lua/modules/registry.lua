-- The module `registry`: entries as data (specification: system facts 4.4).
local kernel, get, find = ...
local type = type
local match = string.match
local receive, send, new_error = kernel.receive, kernel.send, kernel.new_error

local function invalid(message) return new_error({ message = message, kind = "Invalid" }) end

local registry = {}

function registry.get(id)
  if type(id) ~= "string" then return nil, invalid("registry.get expects an entry id, got a " .. type(id)) end
  return receive(get(id))
end

function registry.find(filter)
  if filter ~= nil and type(filter) ~= "table" then
    return nil, invalid("registry.find expects a table, got a " .. type(filter))
  end
  return send(find, "", filter or {})
end

function registry.parse_id(id)
  if type(id) ~= "string" then return nil, invalid("registry.parse_id expects a string, got a " .. type(id)) end
  local namespace, name = match(id, "^([^:]*):(.*)$")
  return { ns = namespace or "", name = name or id }
end

kernel.offer("registry", registry)
