-- What stands for Lua's own functions where C would do too much in one go. C functions whose work is in proportion to what
-- the state holds are C's own, for the hook reckons with that; those that may do more are bounded here.
local kernel = ...
local error, type, next, select = error, type, next, select
local rawequal, tonumber, tointeger = rawequal, tonumber, math.tointeger
local date, time = os.date, os.time
local state, work = kernel.state, kernel.work
local parts, sealed = kernel.error_parts, kernel.sealed

-- Globals ------------------------------------------------------------------------------------------------------------

local TIME_FIELDS = { "year", "month", "day", "hour", "min", "sec", "isdst", "wday", "yday" }
local times = {}
local globals = {
  pcall = kernel.pcall, xpcall = kernel.xpcall, tostring = kernel.tostring,
  getmetatable = kernel.getmetatable, setmetatable = kernel.setmetatable,
}

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

local codes = {}

for name in ("codepoint len offset"):gmatch("%a+") do
  local plain = utf8[name]
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

codes.char = bounded("utf8.char", utf8.char)

kernel.own = {
  globals = globals,
  string = kernel.strings,
  table = kernel.tables,
  math = {
    max = bounded("math.max", math.max), min = bounded("math.min", math.min), randomseed = kernel.randomseed,
  },
  utf8 = codes,
  coroutine = kernel.coroutine,
  os = times,
}
