-- The module `env` (specification: system facts 1.9, 4.4).
local kernel, get, set, get_all = ...
local type = type
local receive, invalid = kernel.receive, kernel.invalid

local function is_name(name) return type(name) == "string" and name ~= "" end

local env = {}

function env.get(name)
  if not is_name(name) then return invalid("env.get expects the name of a variable") end
  return receive(get(name))
end

function env.set(name, value)
  if not is_name(name) then return invalid("env.set expects the name of a variable") end
  if type(value) ~= "string" then return invalid("env.set expects a string as value, got a " .. type(value)) end
  return receive(set(name, value))
end

function env.get_all() return receive(get_all()) end

kernel.offer("env", env)
