-- The module `time` (specification: system facts 4.4; the methods are those of Go's package time).
-- A Time holds Unix seconds, nanoseconds of the second, and a Location; a Duration holds nanoseconds; a Location holds
-- the key by which the host knows its rules, or an offset.
local kernel, now, sleep, zone_at, check_zone, write, read, parse_duration, remainder = ...
local error, ipairs, pairs, select, tostring, type = error, ipairs, pairs, select, tostring, type
local abs, floor, math_type, tointeger = math.abs, math.floor, math.type, math.tointeger
local maxinteger, mininteger, format, gsub, unpack = math.maxinteger, math.mininteger, string.format, string.gsub, table.unpack
local receive, invalid, class = kernel.receive, kernel.invalid, kernel.class

local NANOSECONDS, DAY = 1000000000, 86400
local YEAR_ONE = -62135596800 -- where Go's zero Time is
local MOST_SECONDS = 1000000000000000 -- some 30 million years, far within what the arithmetic below can hold
local UNITS = {
  NANOSECOND = 1, MICROSECOND = 1000, MILLISECOND = 1000000, SECOND = NANOSECONDS,
  MINUTE = 60 * NANOSECONDS, HOUR = 3600 * NANOSECONDS,
}
local LAYOUTS = {
  RFC3339 = "2006-01-02T15:04:05Z07:00", RFC3339NANO = "2006-01-02T15:04:05.999999999Z07:00",
  RFC822 = "02 Jan 06 15:04 MST", RFC822Z = "02 Jan 06 15:04 -0700", RFC850 = "Monday, 02-Jan-06 15:04:05 MST",
  RFC1123 = "Mon, 02 Jan 2006 15:04:05 MST", RFC1123Z = "Mon, 02 Jan 2006 15:04:05 -0700",
  DATE_TIME = "2006-01-02 15:04:05", DATE_ONLY = "2006-01-02", TIME_ONLY = "15:04:05", KITCHEN = "3:04PM",
  STAMP = "Jan _2 15:04:05", STAMP_MILLI = "Jan _2 15:04:05.000", STAMP_MICRO = "Jan _2 15:04:05.000000",
  STAMP_NANO = "Jan _2 15:04:05.000000000",
}
local MONTHS = [[JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER]]
local WEEKDAYS = [[SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY]]

local time_methods, duration_methods, location_methods = {}, {}, {}
local of_time, of_duration, of_location =
  { __index = time_methods }, { __index = duration_methods }, { __index = location_methods }
local make_time, times = class("Time", of_time)
local new_duration, durations = class("Duration", of_duration)
local new_location, locations = class("Location", of_location)

local function given(value)
  return (times[value] and "a Time") or (durations[value] and "a Duration") or (locations[value] and "a Location")
    or type(value)
end

-- Adds a method; called on anything else it says how to call it.
local function method(methods, held, name, body)
  methods[name] = function(self, ...)
    local own = held[self]
    if not own then return invalid("write value:" .. name .. "(...), not value." .. name .. "(...)") end
    return body(own, ...)
  end
end

-- Locations ----------------------------------------------------------------------------------------------------------

local utc = new_location({ name = "UTC", offset = 0, abbreviation = "UTC" })
local localtz = new_location({ name = "Local", key = "Local" })

local function fixed(name, offset) return new_location({ name = name, offset = offset, abbreviation = name }) end

local function named_location(name)
  if name == "UTC" then return utc end
  if name == "Local" then return localtz end
  local _, err = receive(check_zone(name))
  if err then return nil, err end
  return new_location({ name = name, key = name })
end

local function offset_at(location, seconds)
  local own = locations[location]
  if not own.key then return own.offset, own.abbreviation end
  local found = receive(zone_at(own.key, seconds))
  return found[1], found[2]
end

-- The Unix time at which clocks at the location show what they would show at `wall` in UTC.
local function from_wall(location, wall)
  local offset = offset_at(location, wall)
  offset = offset_at(location, wall - offset)
  return wall - offset
end

method(location_methods, locations, "string", function(own) return own.name end)
function of_location.__tostring(location) return locations[location].name end
function of_location.__eq(left, right)
  local a, b = locations[left], locations[right]
  return a ~= nil and b ~= nil and a.name == b.name and a.key == b.key and a.offset == b.offset
end

-- Durations ----------------------------------------------------------------------------------------------------------

local function saturated(sum, left, right)
  if left >= 0 and right >= 0 and sum < 0 then return maxinteger end
  if left < 0 and right < 0 and sum >= 0 then return mininteger end
  return sum
end

-- Returns nanoseconds: of a Duration, a number of them, or a text such as "1h30m".
local function nanoseconds(value, name)
  if durations[value] then return durations[value] end
  if type(value) == "string" then return receive(parse_duration(value)) end
  if math_type(value) == "integer" then return value end
  local whole = math_type(value) == "float" and abs(value) < 2 ^ 63 and tointeger(value < 0 and -floor(-value) or floor(value))
  if whole then return whole end
  return invalid(name .. " expects a Duration, a number of nanoseconds or a text such as \"1h30m\", got " .. given(value))
end

for name, unit in pairs({ hours = UNITS.HOUR, minutes = UNITS.MINUTE, seconds = UNITS.SECOND }) do
  method(duration_methods, durations, name, function(own) return own / unit end)
end
-- Go cuts towards zero, as // does not.
for name, unit in pairs({ milliseconds = UNITS.MILLISECOND, microseconds = UNITS.MICROSECOND, nanoseconds = 1 }) do
  method(duration_methods, durations, name, function(own)
    return own >= 0 and own // unit or -(-own // unit)
  end)
end

-- Like Go: 1h30m0.5s, 1.5ms, 0s.
local function fraction(count, unit)
  local digits = #tostring(unit) - 1
  local text = format("%d", count // unit)
  local rest = count % unit
  if rest == 0 then return text end
  return text .. "." .. gsub(format("%0" .. digits .. "d", rest), "0+$", "")
end

local function duration_text(count)
  if count == 0 then return "0s" end
  if count == mininteger then return "-2562047h47m16.854775808s" end
  if count < 0 then return "-" .. duration_text(-count) end
  if count < 1000 then return format("%dns", count) end
  if count < 1000000 then return fraction(count, 1000) .. "\u{b5}s" end
  if count < NANOSECONDS then return fraction(count, 1000000) .. "ms" end
  local hours, minutes = count // UNITS.HOUR, count // UNITS.MINUTE % 60
  local seconds = fraction(count % UNITS.MINUTE, NANOSECONDS) .. "s"
  if hours > 0 then return format("%dh%dm", hours, minutes) .. seconds end
  return (minutes > 0 and format("%dm", minutes) or "") .. seconds
end

function of_duration.__tostring(duration) return duration_text(durations[duration]) end
function of_duration.__eq(left, right)
  return durations[left] ~= nil and durations[left] == durations[right]
end
function of_duration.__lt(left, right)
  local a, b = durations[left], durations[right]
  if not (a and b) then error("attempt to compare " .. given(left) .. " with " .. given(right), 2) end
  return a < b
end
function of_duration.__le(left, right)
  local a, b = durations[left], durations[right]
  if not (a and b) then error("attempt to compare " .. given(left) .. " with " .. given(right), 2) end
  return a <= b
end
function of_duration.__unm(duration)
  local own = durations[duration]
  return new_duration(own == mininteger and maxinteger or -own)
end

-- Times --------------------------------------------------------------------------------------------------------------

local function new_time(seconds, nsec, location)
  if seconds > MOST_SECONDS or seconds < -MOST_SECONDS then return invalid("the time is more than 30 million years away") end
  return make_time({ seconds = seconds, nsec = nsec, location = location })
end

local function days_before(year, month, day)
  if month <= 2 then year = year - 1 end
  local of_era = year % 400
  local of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  return year // 400 * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

local function civil_of(days)
  days = days + 719468
  local era, of_era = days // 146097, days % 146097
  local year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  local of_year = of_era - (365 * year + year // 4 - year // 100)
  local shifted = (5 * of_year + 2) // 153
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return era * 400 + year + (month <= 2 and 1 or 0), month, of_year - (153 * shifted + 2) // 5 + 1
end

local function wall(own)
  if not own.offset then own.offset, own.abbreviation = offset_at(own.location, own.seconds) end
  return own.seconds + own.offset
end

local BOUNDS = { seconds = MOST_SECONDS, nanoseconds = maxinteger, year = 10000000, years = 10000000, month = 100000000, months = 100000000 }
local MOST_UNITS = 1000000000000

-- Returns the integers of `values` by the order of `names`, or nil and an error; what is missing beyond `required` is 0.
local function integers(what, names, required, values)
  local whole = {}
  for at, name in ipairs(names) do
    local value = values[at]
    if value == nil and at > required then value = 0 end
    local integer = type(value) == "number" and tointeger(value)
    if not integer then return invalid(what .. ": the " .. name .. " must be an integer, got " .. given(value)) end
    local most = BOUNDS[name] or MOST_UNITS
    if integer > most or integer < -most then return invalid(what .. ": the " .. name .. " is out of range") end
    whole[at] = integer
  end
  return whole
end

local function from_parts(year, month, day, hour, minute, second, nsec, location)
  year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
  local shown = days_before(year, month, 1) * DAY + (day - 1) * DAY + hour * 3600 + minute * 60 + second
  return new_time(from_wall(location, shown + nsec // NANOSECONDS), nsec % NANOSECONDS, location)
end

local function moved(own, amount)
  local nsec = own.nsec + amount % NANOSECONDS
  return new_time(own.seconds + amount // NANOSECONDS + nsec // NANOSECONDS, nsec % NANOSECONDS, own.location)
end

local function between(own, other)
  local seconds, nsec = own.seconds - other.seconds, own.nsec - other.nsec
  -- One second more than 64 bits of nanoseconds hold: beyond it the product would wrap, at it the sum shows.
  if seconds >= 9223372037 then return maxinteger end
  if seconds < -9223372037 then return mininteger end
  local total = seconds * NANOSECONDS + nsec
  if seconds > 0 and total < 0 then return maxinteger end
  if seconds < 0 and total > 0 then return mininteger end
  return total
end

local function compared(own, other)
  if own.seconds ~= other.seconds then return own.seconds < other.seconds and -1 or 1 end
  return own.nsec == other.nsec and 0 or (own.nsec < other.nsec and -1 or 1)
end

local function time_method(name, body) method(time_methods, times, name, body) end

time_method("add", function(own, value)
  local amount, err = nanoseconds(value, "add")
  if not amount then return nil, err end
  return moved(own, amount)
end)
time_method("sub", function(own, other)
  if not times[other] then return invalid("sub expects a Time, got " .. given(other)) end
  return new_duration(between(own, times[other]))
end)
time_method("add_date", function(own, ...)
  local more, err = integers("add_date", { "years", "months", "days" }, 3, { ... })
  if not more then return nil, err end
  local shown = wall(own)
  local year, month, day = civil_of(shown // DAY)
  return from_parts(year + more[1], month + more[2], day + more[3], 0, 0, shown % DAY, own.nsec, own.location)
end)

for name, wanted in pairs({ before = -1, equal = 0, after = 1 }) do
  time_method(name, function(own, other)
    if not times[other] then return invalid(name .. " expects a Time, got " .. given(other)) end
    return compared(own, times[other]) == wanted
  end)
end

local function formatted(own, layout)
  wall(own)
  return receive(write(layout, own.seconds, own.nsec, own.offset, own.abbreviation))
end

time_method("format", function(own, layout)
  if type(layout) ~= "string" then return invalid("format expects a layout, got " .. given(layout)) end
  return formatted(own, layout)
end)
time_method("format_rfc3339", function(own) return formatted(own, LAYOUTS.RFC3339) end)
time_method("unix", function(own) return own.seconds end)
time_method("unix_nano", function(own)
  if own.seconds >= 9223372036 or own.seconds < -9223372036 then
    return invalid("unix_nano: the time is outside of the years 1678 to 2261")
  end
  return own.seconds * NANOSECONDS + own.nsec
end)

time_method("date", function(own) return civil_of(wall(own) // DAY) end)
time_method("clock", function(own)
  local shown = wall(own) % DAY
  return shown // 3600, shown // 60 % 60, shown % 60
end)
time_method("year", function(own) return (civil_of(wall(own) // DAY)) end)
time_method("month", function(own) return (select(2, civil_of(wall(own) // DAY))) end)
time_method("day", function(own) return (select(3, civil_of(wall(own) // DAY))) end)
time_method("hour", function(own) return wall(own) % DAY // 3600 end)
time_method("minute", function(own) return wall(own) // 60 % 60 end)
time_method("second", function(own) return wall(own) % 60 end)
time_method("nanosecond", function(own) return own.nsec end)
time_method("weekday", function(own) return (wall(own) // DAY + 4) % 7 end)
time_method("year_day", function(own)
  local days = wall(own) // DAY
  return days - days_before((civil_of(days)), 1, 1) + 1
end)
time_method("is_zero", function(own) return own.seconds == YEAR_ONE and own.nsec == 0 end)

local function placed(own, location) return make_time({ seconds = own.seconds, nsec = own.nsec, location = location }) end

time_method("utc", function(own) return placed(own, utc) end)
time_method("in_local", function(own) return placed(own, localtz) end)
time_method("in_location", function(own, location)
  if not locations[location] then return invalid("in_location expects a Location, got " .. given(location)) end
  return placed(own, location)
end)
time_method("location", function(own) return own.location end)

local function stepped(name, choose)
  time_method(name, function(own, value)
    local step, err = nanoseconds(value, name)
    if not step then return nil, err end
    if step <= 0 then return placed(own, own.location) end
    return moved(own, choose(receive(remainder(own.seconds, own.nsec, step)), step))
  end)
end

stepped("truncate", function(over) return -over end)
stepped("round", function(over, step) return over < step - over and -over or step - over end)

function of_time.__tostring(time) return (formatted(times[time], "2006-01-02 15:04:05.999999999 -0700 MST")) end
function of_time.__eq(left, right)
  return times[left] ~= nil and times[right] ~= nil and compared(times[left], times[right]) == 0
end
function of_time.__lt(left, right)
  if not (times[left] and times[right]) then error("attempt to compare " .. given(left) .. " with " .. given(right), 2) end
  return compared(times[left], times[right]) < 0
end
function of_time.__le(left, right)
  if not (times[left] and times[right]) then error("attempt to compare " .. given(left) .. " with " .. given(right), 2) end
  return compared(times[left], times[right]) <= 0
end

local function added(left, right)
  local a, b = durations[left], durations[right]
  if a and b then return new_duration(saturated(a + b, a, b)) end
  local result, err
  if times[left] and b then result, err = moved(times[left], b) elseif a and times[right] then result, err = moved(times[right], a) end
  if not result then error(err or "attempt to add " .. given(left) .. " and " .. given(right), 2) end
  return result
end

local function subtracted(left, right)
  if times[left] and times[right] then return new_duration(between(times[left], times[right])) end
  if (times[left] or durations[left]) and durations[right] then return added(left, of_duration.__unm(right)) end
  error("attempt to subtract " .. given(right) .. " from " .. given(left), 2)
end

of_time.__add, of_time.__sub = added, subtracted
of_duration.__add, of_duration.__sub = added, subtracted

-- The module ---------------------------------------------------------------------------------------------------------

local time = { utc = utc, localtz = localtz }
for name, value in pairs(UNITS) do time[name] = value end
for name, layout in pairs(LAYOUTS) do time[name] = layout end

local function number_names(names, first)
  for name in names:gmatch("%u+") do time[name], first = first, first + 1 end
end
number_names(MONTHS, 1)
number_names(WEEKDAYS, 0)

function time.now()
  local count = receive(now())
  return new_time(count // NANOSECONDS, count % NANOSECONDS, localtz)
end

local PARTS = { "year", "month", "day", "hour", "minute", "second", "nanosecond" }

function time.date(...)
  local parts, err = integers("time.date", PARTS, 3, { ... })
  if not parts then return nil, err end
  local location = select(8, ...) or localtz
  if not locations[location] then return invalid("time.date expects a Location as argument 8, got " .. given(location)) end
  parts[8] = location
  return from_parts(unpack(parts, 1, 8))
end

function time.unix(...)
  local parts, err = integers("time.unix", { "seconds", "nanoseconds" }, 1, { ... })
  if not parts then return nil, err end
  return new_time(parts[1] + parts[2] // NANOSECONDS, parts[2] % NANOSECONDS, localtz)
end

local function place_of(word, name, offset, default)
  if word == "utc" then return utc end
  if word == "fixed" then return fixed(name, offset) end
  return word == "local" and not default and localtz or default or utc
end

function time.parse(layout, text, location)
  if type(layout) ~= "string" or type(text) ~= "string" then
    return invalid("time.parse expects a layout and a text, got " .. given(layout) .. " and " .. given(text))
  end
  if location ~= nil and not locations[location] then
    return invalid("time.parse expects a Location as argument 3, got " .. given(location))
  end
  local own = locations[location or utc]
  local key = own.key or (location and "" or nil)
  local found, err = receive(read(layout, text, key, own.offset or 0, own.abbreviation or ""))
  if not found then return nil, err end
  return new_time(found[1], found[2], place_of(found[3], found[4], found[5], location))
end

function time.parse_duration(value)
  local count, err = nanoseconds(value, "time.parse_duration")
  if not count then return nil, err end
  return new_duration(count)
end

function time.fixed_zone(name, offset)
  local seconds = type(offset) == "number" and tointeger(offset)
  if type(name) ~= "string" or #name > 100 or not seconds or abs(seconds) > DAY then
    return invalid("time.fixed_zone expects a name, and at most a day of seconds east of UTC")
  end
  return fixed(name, seconds)
end

function time.load_location(name)
  if type(name) ~= "string" or name == "" then return invalid("time.load_location expects the name of a time zone") end
  return named_location(name)
end

function time.sleep(value)
  local amount, err = nanoseconds(value, "time.sleep")
  if not amount then return nil, err end
  return receive(sleep(amount))
end

kernel.offer("time", time)
