---@meta base64

---RFC 4648, the standard alphabet with padding.
local base64 = {}

---@param data string
---@return string? text
---@return polycall.Error? err
function base64.encode(data) end

---@param text string
---@return string? data
---@return polycall.Error? err
function base64.decode(text) end

return base64
