---@meta json

local json = {}

---@param value any
---@return string? text
---@return polycall.Error? err
function json.encode(value) end

---@param text string
---@return any value
---@return polycall.Error? err
function json.decode(text) end

---What JSON calls null, where a table is to have it.
---@type table
json.null = {}

---@return table empty, and {} as long as it is
function json.object() end

---@param value any what decode gives, error and all, or any other value
---@param err? polycall.Error
---@return any value with json.null wherever null is remembered
---@return polycall.Error? err
function json.with_nulls(value, err) end

return json
