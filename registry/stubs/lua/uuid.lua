---@meta uuid

---RFC 9562.
local uuid = {}

---@return string
function uuid.v1() end

---@return string
function uuid.v4() end

---@return string
function uuid.v7() end

---@param namespace string
---@param name string
---@return string? id
---@return polycall.Error? err
function uuid.v3(namespace, name) end

---@param namespace string
---@param name string
---@return string? id
---@return polycall.Error? err
function uuid.v5(namespace, name) end

---@param value any
---@return boolean
function uuid.validate(value) end

---@param id string
---@return integer? version
---@return polycall.Error? err
function uuid.version(id) end

---@param id string
---@return string? variant
---@return polycall.Error? err
function uuid.variant(id) end

---@param id string
---@return {version: integer, variant: string, timestamp?: integer, node?: string}? parts
---@return polycall.Error? err
function uuid.parse(id) end

---@param id string
---@param form? "standard"|"simple"|"urn"
---@return string? text
---@return polycall.Error? err
function uuid.format(id, form) end

return uuid
