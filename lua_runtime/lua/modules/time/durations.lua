-- Durations of the module `time`, and what its classes share. A Duration holds nanoseconds.
local kernel = ...
local abs, floor, math_type, tointeger = math.abs, math.floor, math.type, math.tointeger
local maxinteger, mininteger = math.maxinteger, math.mininteger
local byte, format, gsub, match = string.byte, string.format, string.gsub, string.match
local error, pairs, tonumber, tostring, type = error, pairs, tonumber, tostring, type
local invalid, given = kernel.invalid, kernel.given

local SECOND = 1000000000
local UNITS = {
  NANOSECOND = 1, MICROSECOND = 1000, MILLISECOND = 1000000,
  SECOND = SECOND, MINUTE = 60 * SECOND, HOUR = 3600 * SECOND,
}
local SPELLED = { -- in a text; the micro sign and the letter mu look alike
  ns = 1, us = 1000, ["\u{b5}s"] = 1000, ["\u{3bc}s"] = 1000, ms = 1000000,
  s = SECOND, m = UNITS.MINUTE, h = UNITS.HOUR,
}
local MOST_TEXT = 200 -- bytes

-- What the classes share ---------------------------------------------------------------------------------------------

-- Returns what makes the objects of a class, what they hold, what adds a method, and the metatable.
local function class(name)
  local methods = {}
  local metatable = { __index = methods }
  local make, held = kernel.class(name, metatable)
  local function method(called, body)
    methods[called] = function(self, ...)
      local own = held[self]
      if not own then return invalid("write value:" .. called .. "(...), not value." .. called .. "(...)") end
      return body(own, ...)
    end
  end
  return make, held, method, metatable
end

-- Lets objects be compared; `order` says whether what they hold is less (-1), the same (0) or more (1).
local function comparable(metatable, held, order)
  local function ordered(left, right)
    local a, b = held[left], held[right]
    if not (a and b) then error("attempt to compare " .. given(left) .. " with " .. given(right), 3) end
    return order(a, b)
  end
  function metatable.__lt(left, right) return ordered(left, right) < 0 end
  function metatable.__le(left, right) return ordered(left, right) <= 0 end
  function metatable.__eq(left, right)
    local a, b = held[left], held[right]
    return a ~= nil and b ~= nil and order(a, b) == 0
  end
end

-- Durations ----------------------------------------------------------------------------------------------------------

local make, durations, method, metatable = class("Duration")

comparable(metatable, durations, function(a, b) return a == b and 0 or (a < b and -1 or 1) end)

for name, unit in pairs({ hours = UNITS.HOUR, minutes = UNITS.MINUTE, seconds = SECOND }) do
  method(name, function(own) return own / unit end)
end
-- Go cuts towards zero, as // does not.
for name, unit in pairs({ milliseconds = UNITS.MILLISECOND, microseconds = UNITS.MICROSECOND, nanoseconds = 1 }) do
  method(name, function(own) return own >= 0 and own // unit or -(-own // unit) end)
end

-- Returns the nanoseconds of a text such as 1h30m, as Go has it, or nil; what is less than one is cut off.
local function parsed(text)
  local sign, rest = match(text, "^([+-]?)(.*)$")
  if rest == "0" then return 0 end
  if rest == "" then return nil end
  -- Counted downwards, where one more fits, and roughly beside it: there it shows if the count has come around.
  local total, rough, at = 0, 0.0, 1
  while at <= #rest do
    local whole, fraction, name, after = match(rest, "^(%d*)%.?(%d*)([^%d.]*)()", at)
    local unit, count, part = SPELLED[name], tonumber("-0" .. whole), 0
    if not unit or whole .. fraction == "" or math_type(count) ~= "integer" then return nil end
    for place = #fraction, 1, -1 do part = (part + unit * (byte(fraction, place) - 48)) // 10 end
    total, rough, at = total + count * unit - part, rough - 1.0 * count * unit, after
  end
  if rough > 1e19 or total > 0 or (total == mininteger and sign ~= "-") then return nil end
  return sign == "-" and total or -total
end

-- Returns nanoseconds: of a Duration, a number of them, or a text such as "1h30m"; or nil and an error.
local function nanoseconds(value, name)
  if durations[value] then return durations[value] end
  if math_type(value) == "integer" then return value end
  if type(value) == "string" then
    if #value > MOST_TEXT then return invalid("a duration has at most " .. MOST_TEXT .. " bytes") end
    local count = parsed(value)
    if count then return count end
    return invalid('expected a duration such as "1h30m" or "250ms", got "' .. value .. '"')
  end
  if math_type(value) == "float" and abs(value) < 2 ^ 63 then
    return tointeger(value < 0 and -floor(-value) or floor(value))
  end
  return invalid(name .. ' expects a Duration, a number of nanoseconds or a text such as "1h30m", got ' .. given(value))
end

-- Like Go: 1h30m0.5s, 1.5ms, 0s.
local function fraction(count, unit)
  local digits = #tostring(unit) - 1
  local text = format("%d", count // unit)
  local rest = count % unit
  if rest == 0 then return text end
  return text .. "." .. gsub(format("%0" .. digits .. "d", rest), "0+$", "")
end

local function text_of(count)
  if count == 0 then return "0s" end
  if count == mininteger then return "-2562047h47m16.854775808s" end
  if count < 0 then return "-" .. text_of(-count) end
  if count < 1000 then return format("%dns", count) end
  if count < 1000000 then return fraction(count, 1000) .. "\u{b5}s" end
  if count < SECOND then return fraction(count, 1000000) .. "ms" end
  local hours, minutes = count // UNITS.HOUR, count // UNITS.MINUTE % 60
  local seconds = fraction(count % UNITS.MINUTE, SECOND) .. "s"
  if hours > 0 then return format("%dh%dm", hours, minutes) .. seconds end
  return (minutes > 0 and format("%dm", minutes) or "") .. seconds
end

function metatable.__tostring(duration) return text_of(durations[duration]) end
function metatable.__unm(duration)
  local own = durations[duration]
  return make(own == mininteger and maxinteger or -own)
end

kernel.time = { -- for the other files of the module
  class = class, comparable = comparable,
  UNITS = UNITS, new_duration = make, durations = durations, of_duration = metatable, nanoseconds = nanoseconds,
}
