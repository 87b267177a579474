---@meta funcs

---Calls other entries of the registry.
local funcs = {}

-- targets of call
---@param id string
---@param ... any
---@return any result
---@return polycall.Error? err
function funcs.call(id, ...) end

return funcs
