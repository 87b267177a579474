---@meta ctx

---The values that came with the call.
local ctx = {}

---@param name string
---@return any value
---@return polycall.Error? err
function ctx.get(name) end

---@return table<string, any>
function ctx.all() end

return ctx
