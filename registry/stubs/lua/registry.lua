---@meta registry

---@class polycall.Entry
---@field id string
---@field kind string
---@field meta table<string, any>
---@field data table<string, any>

local registry = {}

---@param id string
---@return polycall.Entry? entry
---@return polycall.Error? err
function registry.get(id) end

---@param filter? table<string, any> what must be equal: ".kind", ".ns", ".name", and metadata
---@return polycall.Entry[]? entries
---@return polycall.Error? err
function registry.find(filter) end

---@param text string
---@return {ns: string, name: string}? id
---@return polycall.Error? err
function registry.parse_id(text) end

return registry
