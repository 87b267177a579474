-- What stands for Lua's own functions: the gate, no addresses, what cannot be changed, and a bound on texts that are read as
-- numbers. All others are C's.
local kernel = ...
local error, raw_set, select, type = error, rawset, select, type
local parts, sealed = kernel.error_parts, kernel.sealed

local MOST_NUMERAL = 1024 -- bytes
local FEW = 2 -- arguments, which the hook reckons with

local function rawset(...)
  local target = ...
  if (sealed[target] or parts[target]) and select("#", ...) > 2 then error("rawset: this table cannot be changed", 2) end
  return raw_set(...)
end

local function check_numerals(name, ...)
  local given = { ... }
  for at = 1, select("#", ...) do
    local value = given[at]
    if type(value) == "string" and #value > MOST_NUMERAL then
      error(name .. ": a text of more than " .. MOST_NUMERAL .. " bytes as a number", 3)
    end
  end
end

-- Of many arguments each text may be the same one again, and each is read from its beginning to its end.
local function bounded(name, plain)
  return function(...)
    if select("#", ...) > FEW then check_numerals(name, ...) end
    return plain(...)
  end
end

kernel.strings.char = bounded("string.char", string.char)

kernel.own = {
  globals = {
    pcall = kernel.pcall, xpcall = kernel.xpcall, tostring = kernel.tostring,
    getmetatable = kernel.getmetatable, setmetatable = kernel.setmetatable, rawset = rawset,
  },
  string = kernel.strings,
  methods = kernel.methods,
  math = { max = bounded("math.max", math.max), min = bounded("math.min", math.min) },
  utf8 = { char = bounded("utf8.char", utf8.char) },
  coroutine = kernel.coroutine,
}
