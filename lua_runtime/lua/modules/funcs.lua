-- The module `funcs`: calls of other entries (specification: system facts 4.4).
local kernel, invoke = ...
local type, select = type, select
local receive, send_arguments = kernel.receive, kernel.send_arguments
local new_error, IS_SCALAR = kernel.new_error, kernel.IS_SCALAR

local function call(target, ...)
  if type(target) ~= "string" or target == "" then
    return nil, new_error({ message = "function ID required", kind = "Invalid", frames = kernel.frames(2) })
  end
  local count, first, second = select("#", ...), ...
  if count <= 2 and IS_SCALAR[type(first)] and IS_SCALAR[type(second)] then return receive(invoke(target, ...)) end
  return send_arguments(invoke, target, ...)
end

kernel.offer("funcs", { call = call })
