---@meta errors

---@alias polycall.ErrorKind
---| "NotFound"
---| "AlreadyExists"
---| "Invalid"
---| "PermissionDenied"
---| "Unavailable"
---| "Internal"
---| "Canceled"
---| "Conflict"
---| "Timeout"
---| "RateLimited"
---| ""

---@class polycall.Error
local Error = {}

---@return polycall.ErrorKind
function Error:kind() end

---@return string
function Error:message() end

---@return boolean
function Error:retryable() end

---@return any
function Error:details() end

---@return string
function Error:stack() end

---@class polycall.NewError
---@field message string
---@field kind? polycall.ErrorKind
---@field retryable? boolean
---@field details? any

local errors = {}

errors.NOT_FOUND = "NotFound"
errors.ALREADY_EXISTS = "AlreadyExists"
errors.INVALID = "Invalid"
errors.PERMISSION_DENIED = "PermissionDenied"
errors.UNAVAILABLE = "Unavailable"
errors.INTERNAL = "Internal"
errors.CANCELED = "Canceled"
errors.CONFLICT = "Conflict"
errors.TIMEOUT = "Timeout"
errors.RATE_LIMITED = "RateLimited"
errors.UNKNOWN = ""

---@param message string|polycall.NewError
---@return polycall.Error
function errors.new(message) end

---@param err any
---@param context string
---@return polycall.Error
function errors.wrap(err, context) end

---@param err any
---@param kind polycall.ErrorKind
---@return boolean
function errors.is(err, kind) end

---@param err any
---@return {frames: {source: string, line: integer, name: string}[]}
function errors.call_stack(err) end

return errors
