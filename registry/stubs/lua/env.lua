---@meta env

---The variables of the project.
local env = {}

---@param name string
---@return string? value
---@return polycall.Error? err
function env.get(name) end

---@param name string
---@param value string
---@return true? done
---@return polycall.Error? err
function env.set(name, value) end

---@return table<string, string>? values
---@return polycall.Error? err
function env.get_all() end

return env
