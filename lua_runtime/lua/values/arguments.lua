-- Functions of modules that check the types of their arguments and hand them to the host.
local kernel = ...
local ipairs, type, tointeger, unpack = ipairs, type, math.tointeger, table.unpack
local gmatch, match, sub = string.gmatch, string.match, string.sub
local receive, invalid = kernel.receive, kernel.invalid

local function wanted_by(shape)
  local wanted = {}
  for word in gmatch(shape, "%S+") do
    wanted[#wanted + 1] = { kind = match(word, "%a+"), optional = sub(word, -1) == "?" }
  end
  return wanted
end

-- Returns the value as what is wanted, or nil.
local function fitting(value, kind)
  if kind == "integer" then return type(value) == "number" and tointeger(value) or nil end
  if type(value) == kind then return value end
end

local function misfit(name, at, kind, value)
  local article = kind == "integer" and "an " or "a "
  local got = type(value) == "number" and "a number" or type(value)
  return name .. ": expected " .. article .. kind .. " as argument " .. at .. ", got " .. got
end

-- shape: a word for each argument, such as "string integer boolean?"; further arguments are dropped.
function kernel.checked(name, shape, host)
  local wanted = wanted_by(shape)
  return function(...)
    local given = { ... }
    for at, each in ipairs(wanted) do
      local value = given[at]
      local fit = fitting(value, each.kind)
      if fit == nil and not (each.optional and value == nil) then return invalid(misfit(name, at, each.kind, value)) end
      given[at] = fit
    end
    return receive(host(unpack(given, 1, #wanted)))
  end
end
