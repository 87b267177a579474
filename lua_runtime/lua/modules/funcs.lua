-- The module `funcs`: calls of other entries (specification: system facts 4.4).
local kernel, invoke = ...
local type, select = type, select
local receive, send_arguments = kernel.receive, kernel.send_arguments
local new_error, IS_SCALAR, parts, only_key = kernel.new_error, kernel.IS_SCALAR, kernel.error_parts, kernel.only_key

local function call(target, ...)
  if type(target) ~= "string" or target == "" then
    return nil, new_error({ message = "function ID required", kind = "Invalid", frames = kernel.frames(2) })
  end
  local count, first, second = select("#", ...), ...
  if count <= 2 and IS_SCALAR[type(first)] and IS_SCALAR[type(second)] then return receive(invoke(target, ...)) end
  return send_arguments(invoke, target, ...)
end

-- What an `err` says, as an error object.
local function told(target, payload)
  local message = payload
  if type(payload) == "table" and not parts[payload] then message = only_key(payload) end
  if type(message) ~= "string" then message = target .. " gave an err" end
  local details = type(payload) == "table" and payload or nil
  return new_error({ message = message, kind = "", details = details, frames = kernel.frames(3) })
end

local function unwrapped(target, value, err)
  local case = err == nil and type(value) == "table" and only_key(value)
  if case == "ok" then return value.ok end
  if case == "err" then return nil, told(target, value.err) end
  return value, err
end

local function try(target, ...) return unwrapped(target, call(target, ...)) end

kernel.offer("funcs", { call = call, try = try })
