-- The standard library as guests see it: an allow-list, sealed. C functions whose work is in proportion to what the state
-- holds are C's own, for the hook reckons with that; those that may do more are bounded here.
local kernel = ...
local error, type, tostring, next, pairs, select = error, type, tostring, next, pairs, select
local rawequal, tonumber, tointeger = rawequal, tonumber, math.tointeger
local date, time = os.date, os.time
local state, work = kernel.state, kernel.work
local parts, seal, sealed = kernel.error_parts, kernel.seal, kernel.sealed

local function pick(source, names)
  local picked = {}
  for name in names:gmatch("%S+") do picked[name] = source[name] end
  return picked
end

-- Globals ------------------------------------------------------------------------------------------------------------

local TIME_FIELDS = { "year", "month", "day", "hour", "min", "sec", "isdst", "wday", "yday" }
local times = pick(os, "time date clock difftime")
times.platform = "wippy" -- what scripts written for that system ask for

local globals = pick(_G, "_VERSION assert error ipairs next pairs rawget select type")
globals.pcall, globals.xpcall, globals.tostring = kernel.pcall, kernel.xpcall, kernel.tostring
globals.getmetatable, globals.setmetatable = kernel.getmetatable, kernel.setmetatable
globals.unpack = kernel.tables.unpack

function globals.rawequal(left, ...)
  if type(left) == "string" then work(#left) end
  return rawequal(left, ...)
end

function globals.tonumber(...)
  local value = ...
  if type(value) == "string" then work(#value) end
  return tonumber(...)
end

function globals.rawset(...)
  local target = ...
  if sealed[target] or parts[target] then error("rawset: this table cannot be changed", 2) end
  return kernel.rawset(...)
end

-- Some of many: each text among them is read as a number, or is the layout of numbers, and may be the same one again.
local MOST_NUMERALS = 64 * 1024 -- bytes

local function bounded(name, plain)
  plain = kernel.buffered(plain)
  return function(...)
    if not state.armed then return plain(...) end
    local size, count, first, second = 0, select("#", ...), ...
    if count <= 2 then
      if type(first) == "string" then size = #first end
      if type(second) == "string" then size = size + #second end
    else
      local given = { ... }
      for at = 1, count do
        if type(given[at]) == "string" then size = size + #given[at] end
      end
      work(16 * count)
    end
    if size > MOST_NUMERALS then
      error(name .. ": more than " .. MOST_NUMERALS .. " bytes of text under a deadline", 2)
    end
    return plain(...)
  end
end

kernel.strings.char, kernel.strings.packsize = bounded("string.char", string.char), bounded("string.packsize", string.packsize)

times.date = bounded("os.date", date)

local MOST_FIELD = 64 -- bytes of a number in a date

-- C reads these fields as numbers, and writes them.
function times.time(...)
  local about = ...
  if not state.armed or type(about) ~= "table" then return time(...) end
  local plain = {}
  for _, name in next, TIME_FIELDS do
    local value = about[name]
    if type(value) == "string" and #value > MOST_FIELD then
      error("os.time: field '" .. name .. "' has more than " .. MOST_FIELD .. " bytes", 2)
    end
    plain[name] = value
  end
  local seconds = time(plain)
  for name, value in next, plain do about[name] = value end
  return seconds
end

local codes = pick(utf8, "char charpattern codepoint codes len offset")

for name in ("codepoint len offset"):gmatch("%a+") do
  local plain = codes[name]
  codes[name] = function(text, ...)
    if type(text) == "string" then work(#text) end
    return plain(text, ...)
  end
end

-- One step goes over all continuation bytes that follow: none in a text that is valid, but a guest may take steps itself.
local function counted(step)
  return function(text, at)
    local found, code = step(text, at)
    if found then
      work(found - (tointeger(at) or 0))
      return found, code
    elseif type(text) == "string" then
      work(#text)
    end
  end
end

local strict, lax = counted((utf8.codes(""))), counted((utf8.codes("", true)))

function codes.codes(...)
  local _, text, first = utf8.codes(...)
  return select(2, ...) and lax or strict, text, first
end

codes.char = bounded("utf8.char", codes.char)

local numbers = pick(math, [[abs acos asin atan ceil cos deg exp floor fmod huge log maxinteger mininteger modf pi rad
  random sin sqrt tan tointeger type ult]])
numbers.max, numbers.min = bounded("math.max", math.max), bounded("math.min", math.min)
numbers.randomseed = kernel.randomseed

local always = {
  string = seal(kernel.strings, "string"),
  table = seal(kernel.tables, "table"),
  math = seal(numbers, "math"),
  utf8 = seal(codes, "utf8"),
  coroutine = seal(kernel.coroutine, "coroutine"),
  os = seal(times, "os"),
  errors = seal(kernel.errors, "errors"),
}
for name, library in pairs(always) do globals[name] = library end

local names = {} -- of C functions, for messages where the guest calls them by none
for library in ("string table coroutine math utf8 os"):gmatch("%w+") do
  for name, value in pairs(_G[library]) do names[value] = library .. "." .. name end
end
for name in ("setmetatable getmetatable rawset rawequal tonumber tostring pcall xpcall"):gmatch("%a+") do names[_G[name]] = name end

kernel.names, kernel.globals, kernel.always = names, globals, always
