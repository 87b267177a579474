---@meta payload

---@class polycall.Payload
local Payload = {}

---@return string
function Payload:get_format() end

---@return any
function Payload:data() end

---@param format string
---@return polycall.Payload? payload
---@return polycall.Error? err
function Payload:transcode(format) end

---@return any value
---@return polycall.Error? err
function Payload:unmarshal() end

local payload = {}

---@class polycall.PayloadFormats
---@field JSON string
---@field YAML string
---@field STRING string
---@field BYTES string
---@field LUA string
---@field ERROR string
---@field MSGPACK string
---@field GOLANG string
payload.format = {}

---@param value any
---@return polycall.Payload? payload
---@return polycall.Error? err
function payload.new(value) end

return payload
