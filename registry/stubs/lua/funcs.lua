---@meta funcs

---Calls other entries of the registry.
local funcs = {}

-- targets of call
---@param id string
---@param ... any
---@return any result
---@return polycall.Error? err
function funcs.call(id, ...) end

---Like call; of a WIT result it gives the ok, or nil and the err as an error.
-- targets of try
---@param id string
---@param ... any
---@return any result
---@return polycall.Error? err
function funcs.try(id, ...) end

return funcs
