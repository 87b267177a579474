-- Functions of modules that check the types of their arguments, and that hand them to the host.
local kernel = ...
local ipairs, type, tointeger, unpack = ipairs, type, math.tointeger, table.unpack
local gmatch, match, sub = string.gmatch, string.match, string.sub
local receive, invalid = kernel.receive, kernel.invalid
local flatten, hand_over, unfit = kernel.flatten, kernel.hand_over, kernel.misfit

local EXPECTED = { integer = "an integer", text = "a text that is not empty" }

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
  if kind == "text" and value ~= "" then kind = "string" end
  if type(value) == kind then return value end
end

local function misfit(name, at, kind, value)
  local expected, got = EXPECTED[kind] or "a " .. kind, type(value) == "number" and "a number" or type(value)
  return name .. ": expected " .. expected .. " as argument " .. at .. ", got " .. (value == "" and "an empty one" or got)
end

-- shape: a word for each argument, such as "string integer boolean?"; "text" is a string that is not empty. Further
-- arguments are dropped. `plain` says that `host` is Lua's own, and gives what the guest gets.
function kernel.checked(name, shape, host, plain)
  local wanted = wanted_by(shape)
  return function(...)
    local given = { ... }
    for at, each in ipairs(wanted) do
      local value = given[at]
      local fit = fitting(value, each.kind)
      if fit == nil and not (each.optional and value == nil) then return invalid(misfit(name, at, each.kind, value)) end
      given[at] = fit
    end
    if plain then return host(unpack(given, 1, #wanted)) end
    return receive(host(unpack(given, 1, #wanted)))
  end
end

-- Hands values of any shape to the host. What cannot cross is an error of that kind, with its place from `$` on.
function kernel.handed(kind, host, ...)
  local fits, flat, length, got = flatten("$", ...)
  if not fits then return nil, unfit(kind, flat, length, got) end
  return hand_over(host, "", flat, length)
end
