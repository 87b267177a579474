---@meta logger

---@class polycall.Logger
local logger = {}

---@param message string
---@param fields? table<string, any>
function logger:debug(message, fields) end

---@param message string
---@param fields? table<string, any>
function logger:info(message, fields) end

---@param message string
---@param fields? table<string, any>
function logger:warn(message, fields) end

---@param message string
---@param fields? table<string, any>
function logger:error(message, fields) end

---@param fields table<string, any>
---@return polycall.Logger
function logger:with(fields) end

---@param name string
---@return polycall.Logger? logger
---@return polycall.Error? err
function logger:named(name) end

return logger
