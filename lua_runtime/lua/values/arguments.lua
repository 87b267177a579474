-- Functions of modules that check the types of their arguments, and that hand them to the host.
local kernel = ...
local ipairs, type, tointeger, unpack = ipairs, type, math.tointeger, table.unpack
local gmatch, match, sub = string.gmatch, string.match, string.sub
local receive, invalid, is_object = kernel.receive, kernel.invalid, kernel.is_object
local flatten, hand_over, unfit = kernel.flatten, kernel.hand_over, kernel.misfit

local EXPECTED = { integer = "an integer", text = "a text that is not empty" }

local function wanted_by(shape)
  local wanted, number = {}, 0
  for word in gmatch(shape, "%S+") do
    if word ~= "self" then number = number + 1 end
    wanted[#wanted + 1] = { kind = match(word, "%a+"), optional = sub(word, -1) == "?", number = number }
  end
  return wanted
end

local function fitting(value, kind)
  if type(value) == kind or is_object[value] == kind then return value end
  if kind == "integer" then return type(value) == "number" and tointeger(value) or nil end
  if kind == "self" or (kind == "text" and type(value) == "string" and value ~= "") then return value end
end

-- What a message calls a value.
function kernel.given(value)
  return is_object[value] and "a " .. is_object[value] or (type(value) == "number" and "a number") or type(value)
end

-- Returns the argument as what is wanted, or nil and what is wrong with it.
local function fitted(name, wanted, value)
  local fit = fitting(value, wanted.kind)
  if fit ~= nil or (wanted.optional and value == nil) then return fit end
  local expected = EXPECTED[wanted.kind] or "a " .. wanted.kind
  local got = value == "" and "an empty one" or kernel.given(value)
  return nil, name .. ": expected " .. expected .. " as argument " .. wanted.number .. ", got " .. got
end

-- shape: a word for each argument, such as "string integer boolean?"; "text" is a string that is not empty, "Time" an
-- object of that class, "self" what a method is called on, which does not count. Further arguments are dropped.
-- `plain`: `host` is Lua's own, and gives what guests get.
function kernel.checked(name, shape, host, plain)
  local wanted = wanted_by(shape)
  local one = #wanted == 1 and wanted[1]
  if one then -- the same in half of the time
    return function(value)
      local fit, wrong = fitted(name, one, value)
      if wrong then return invalid(wrong) end
      if plain then return host(fit) end
      return receive(host(fit))
    end
  end
  return function(...)
    local given, wrong = { ... }, nil
    for at, each in ipairs(wanted) do
      given[at], wrong = fitted(name, each, given[at])
      if wrong then return invalid(wrong) end
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
