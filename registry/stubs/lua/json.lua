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

return json
