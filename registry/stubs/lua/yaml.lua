---@meta yaml

---@class polycall.YamlOptions
---@field field_order? string[] keys that come first, in every mapping
---@field sort_unordered? boolean
---@field indent? integer 2 to 9

local yaml = {}

---@param value table
---@param options? polycall.YamlOptions
---@return string? text
---@return polycall.Error? err
function yaml.encode(value, options) end

---@param text string
---@return any value
---@return polycall.Error? err
function yaml.decode(text) end

return yaml
