-- The module `registry`: entries as data (specification: system facts 4.4).
local kernel, get, find = ...
local find_text, sub = string.find, string.sub
local MOST_ID = 4096
local checked, send, invalid = kernel.checked, kernel.send, kernel.invalid

local function found(filter) return send(find, "", filter or {}) end

local function parsed(id)
  if #id > MOST_ID then return invalid("registry.parse_id: an id has at most " .. MOST_ID .. " bytes") end
  local colon = find_text(id, ":", 1, true)
  return { ns = colon and sub(id, 1, colon - 1) or "", name = colon and sub(id, colon + 1) or id }
end

kernel.offer("registry", {
  get = checked("registry.get", "string", get),
  find = checked("registry.find", "table?", found, true),
  parse_id = checked("registry.parse_id", "string", parsed, true),
})
