-- The module `time` (specification: system facts 4.4; the methods are those of Go's package time).
-- A Time holds Unix seconds, nanoseconds of the second, and a Location; and its offset there, once that was asked.
local kernel, now, sleep, remainder = ...
local error, ipairs, pairs, select = error, ipairs, pairs, select
local maxinteger, mininteger, upper = math.maxinteger, math.mininteger, string.upper
local checked, receive, invalid, shared = kernel.checked, kernel.receive, kernel.invalid, kernel.time
local given, offset_at, from_wall = kernel.given, shared.offset_at, shared.from_wall
local civil_of, days_before, DAY = shared.civil_of, shared.days_before, shared.DAY
local durations, new_duration, of_duration = shared.durations, shared.new_duration, shared.of_duration
local nanoseconds, utc, localtz = shared.nanoseconds, shared.utc, shared.localtz

local NANOSECONDS = 1000000000
local YEAR_ONE = -62135596800 -- where Go's zero Time is
local MOST_SECONDS = 1000000000000000 -- far within what the arithmetic below can hold
local TOO_FAR = "the time is more than 30 million years away"
local LAYOUTS = {
  RFC3339 = "2006-01-02T15:04:05Z07:00", RFC3339NANO = "2006-01-02T15:04:05.999999999Z07:00",
  RFC822 = "02 Jan 06 15:04 MST", RFC822Z = "02 Jan 06 15:04 -0700", RFC850 = "Monday, 02-Jan-06 15:04:05 MST",
  RFC1123 = "Mon, 02 Jan 2006 15:04:05 MST", RFC1123Z = "Mon, 02 Jan 2006 15:04:05 -0700",
  DATE_TIME = "2006-01-02 15:04:05", DATE_ONLY = "2006-01-02", TIME_ONLY = "15:04:05", KITCHEN = "3:04PM",
  STAMP = "Jan _2 15:04:05", STAMP_MILLI = "Jan _2 15:04:05.000", STAMP_MICRO = "Jan _2 15:04:05.000000",
  STAMP_NANO = "Jan _2 15:04:05.000000000",
}

local make, times, method, of_time = shared.class("Time")

-- Making -------------------------------------------------------------------------------------------------------------

local function placed(own, location)
  return make({ seconds = own.seconds, nanosecond = own.nanosecond, location = location })
end

local function new_time(seconds, nanosecond, location)
  if seconds > MOST_SECONDS or seconds < -MOST_SECONDS then return invalid(TOO_FAR) end
  return make({ seconds = seconds, nanosecond = nanosecond, location = location })
end

local function moved(own, amount)
  local nanosecond = own.nanosecond + amount % NANOSECONDS
  local seconds = own.seconds + amount // NANOSECONDS + nanosecond // NANOSECONDS
  return new_time(seconds, nanosecond % NANOSECONDS, own.location)
end

local function from_parts(year, month, day, hour, minute, second, nanosecond, location)
  -- In floats, which do not wrap.
  local about = (year * 365.2425 + month * 30.436875 + day) * DAY + hour * 3600.0 + minute * 60.0 + second
  if about > 2 * MOST_SECONDS or about < -2 * MOST_SECONDS then return invalid(TOO_FAR) end
  local first = days_before(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
  local wall = (first + day - 1) * DAY + hour * 3600 + minute * 60 + second
  return new_time(from_wall(location, wall + nanosecond // NANOSECONDS), nanosecond % NANOSECONDS, location)
end

-- Methods ------------------------------------------------------------------------------------------------------------

local function between(own, other)
  local seconds, nsec = own.seconds - other.seconds, own.nanosecond - other.nanosecond
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
  return own.nanosecond == other.nanosecond and 0 or (own.nanosecond < other.nanosecond and -1 or 1)
end

-- The seconds from where calendar and clock there showed the beginning of 1970.
local function wall(own)
  if not own.offset then own.offset, own.abbreviation = offset_at(own.location, own.seconds) end
  return own.seconds + own.offset
end

local function formatted(own, layout)
  wall(own)
  return shared.written(layout, own.seconds, own.nanosecond, own.offset, own.abbreviation)
end

local function takes_duration(name, body)
  method(name, function(own, value)
    local amount, err = nanoseconds(value, name)
    if not amount then return nil, err end
    return body(own, amount)
  end)
end

local function takes_time(name, body)
  method(name, function(own, other)
    if not times[other] then return invalid(name .. " expects a Time, got " .. given(other)) end
    return body(own, times[other])
  end)
end

takes_duration("add", moved)
takes_time("sub", function(own, other) return new_duration(between(own, other)) end)
for name, wanted in pairs({ before = -1, equal = 0, after = 1 }) do
  takes_time(name, function(own, other) return compared(own, other) == wanted end)
end

method("add_date", checked("add_date", "self integer integer integer", function(own, years, months, days)
  local there = wall(own)
  local year, month, day = civil_of(there // DAY)
  return from_parts(year + years, month + months, day + days, 0, 0, there % DAY, own.nanosecond, own.location)
end, true))

for name, over_to in pairs({
  truncate = function(over) return -over end,
  round = function(over, step) return over < step - over and -over or step - over end,
}) do
  takes_duration(name, function(own, step)
    if step <= 0 then return placed(own, own.location) end
    return moved(own, over_to(receive(remainder(own.seconds, own.nanosecond, step)), step))
  end)
end

method("format", checked("format", "self string", formatted, true))
method("format_rfc3339", function(own) return formatted(own, LAYOUTS.RFC3339) end)
method("unix", function(own) return own.seconds end)
method("unix_nano", function(own)
  if own.seconds >= 9223372036 or own.seconds < -9223372036 then
    return invalid("unix_nano: the time is outside of the years 1678 to 2261")
  end
  return own.seconds * NANOSECONDS + own.nanosecond
end)

method("date", function(own) return civil_of(wall(own) // DAY) end)
method("clock", function(own)
  local there = wall(own) % DAY
  return there // 3600, there // 60 % 60, there % 60
end)
method("year", function(own) return (civil_of(wall(own) // DAY)) end)
method("month", function(own) return (select(2, civil_of(wall(own) // DAY))) end)
method("day", function(own) return (select(3, civil_of(wall(own) // DAY))) end)
method("hour", function(own) return wall(own) % DAY // 3600 end)
method("minute", function(own) return wall(own) // 60 % 60 end)
method("second", function(own) return wall(own) % 60 end)
method("nanosecond", function(own) return own.nanosecond end)
method("weekday", function(own) return (wall(own) // DAY + 4) % 7 end)
method("year_day", function(own)
  local days = wall(own) // DAY
  return days - days_before((civil_of(days)), 1, 1) + 1
end)
method("is_zero", function(own) return own.seconds == YEAR_ONE and own.nanosecond == 0 end)

method("location", function(own) return own.location end)
method("utc", function(own) return placed(own, utc) end)
method("in_local", function(own) return placed(own, localtz) end)
method("in_location", checked("in_location", "self Location", placed, true))

-- Operators ----------------------------------------------------------------------------------------------------------

shared.comparable(of_time, times, compared)

function of_time.__tostring(time) return (formatted(times[time], "2006-01-02 15:04:05.999999999 -0700 MST")) end

local function saturated(sum, left, right)
  if left >= 0 and right >= 0 and sum < 0 then return maxinteger end
  if left < 0 and right < 0 and sum >= 0 then return mininteger end
  return sum
end

local function added(left, right)
  local a, b = durations[left], durations[right]
  if a and b then return new_duration(saturated(a + b, a, b)) end
  local own, amount, result, err = times[left] or times[right], a or b, nil, nil
  if own and amount then result, err = moved(own, amount) end
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
for name, value in pairs(shared.UNITS) do time[name] = value end
for name, layout in pairs(LAYOUTS) do time[name] = layout end
for at, name in ipairs(shared.MONTHS) do time[upper(name)] = at end
for at, name in pairs(shared.WEEKDAYS) do time[upper(name)] = at end

function time.now()
  local count = receive(now())
  return new_time(count // NANOSECONDS, count % NANOSECONDS, localtz)
end

time.date = checked(
  "time.date", "integer integer integer integer? integer? integer? integer? Location?",
  function(year, month, day, hour, minute, second, nanosecond, location)
    return from_parts(year, month, day, hour or 0, minute or 0, second or 0, nanosecond or 0, location or localtz)
  end, true
)

time.unix = checked("time.unix", "integer integer?", function(seconds, nanosecond)
  nanosecond = nanosecond or 0
  return new_time(seconds + nanosecond // NANOSECONDS, nanosecond % NANOSECONDS, localtz)
end, true)

time.parse = checked("time.parse", "string string Location?", function(...)
  local seconds, nanosecond, its_location = shared.read(...)
  if not seconds then return nil, nanosecond end
  return new_time(seconds, nanosecond, its_location)
end, true)

function time.parse_duration(value)
  local count, err = nanoseconds(value, "time.parse_duration")
  if not count then return nil, err end
  return new_duration(count)
end

time.fixed_zone = checked("time.fixed_zone", "string integer", function(name, offset)
  if #name > 100 or offset > DAY or offset < -DAY then
    return invalid("time.fixed_zone expects a name of at most 100 bytes, and at most a day of seconds east of UTC")
  end
  return shared.fixed(name, offset)
end, true)
time.load_location = checked("time.load_location", "text", shared.named, true)

function time.sleep(value)
  local amount, err = nanoseconds(value, "time.sleep")
  if not amount then return nil, err end
  return receive(sleep(amount))
end

kernel.offer("time", time)
