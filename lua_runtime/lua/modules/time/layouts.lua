-- Times as text and back, by Go's layouts: `2006-01-02 15:04` says what stands where (Go: package time). And the
-- calendar that both need.
local kernel = ...
local abs, max, tonumber = math.abs, math.max, tonumber
local find, format, gmatch, gsub, lower, match, rep, sub =
  string.find, string.format, string.gmatch, string.gsub, string.lower, string.match, string.rep, string.sub
local concat, ipairs, pairs, setmetatable = table.concat, ipairs, pairs, setmetatable
local invalid, time = kernel.invalid, kernel.time
local offset_at, from_wall, fixed, utc, localtz = time.offset_at, time.from_wall, time.fixed, time.utc, time.localtz

local DAY, DAYS_IN_400_YEARS = 86400, 146097
local MONTHS = {
  "January", "February", "March", "April", "May", "June",
  "July", "August", "September", "October", "November", "December",
}
local WEEKDAYS = { [0] = "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local MOST_TEXT = 1024 -- bytes of a layout, and of a time as text
local TOO_LONG = "a layout, or a time as text, has at most " .. MOST_TEXT .. " bytes"

-- The calendar: the Gregorian one, continued in both directions ------------------------------------------------------

-- Returns the days from 1970-01-01 to a day.
local function days_before(year, month, day)
  if month <= 2 then year = year - 1 end
  local of_era = year % 400
  local of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  return year // 400 * DAYS_IN_400_YEARS + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

-- Returns year, month and day of a number of days since 1970-01-01.
local function civil_of(days)
  days = days + 719468
  local era, of_era = days // DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS
  local year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  local of_year = of_era - (365 * year + year // 4 - year // 100)
  local shifted = (5 * of_year + 2) // 153
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return era * 400 + year + (month <= 2 and 1 or 0), month, of_year - (153 * shifted + 2) // 5 + 1
end

-- The parts of a layout ----------------------------------------------------------------------------------------------

-- In the order in which they are tried: how a part looks in a layout, how it is written from what is shown, and how it
-- is read from `found.text` at `found.at`. A reader keeps in `found` what it reads, or returns what it expected.
local parts = {}

local function part(pattern, write, read)
  parts[#parts + 1] = { pattern = "^" .. pattern, write = write, read = read }
end

-- Goes on after a text if it stands there.
local function passed(found, text)
  local here = sub(found.text, found.at, found.at + #text - 1) == text
  if here then found.at = found.at + #text end
  return here
end

local function reader_of(field, digits, least, most)
  digits = "^" .. digits .. "()"
  return function(found)
    local text, after = match(found.text, digits, found.at)
    local number = tonumber(text)
    if not number or number < least or number > most then return "the " .. gsub(field, "_", " ") end
    found[field], found.at = number, after
  end
end

local function number(layout, field, written, digits, least, most)
  part(layout, function(shown) return format(written, shown[field]) end, reader_of(field, digits, least, most))
end

-- Of each name there are at most `length` letters.
local function name_of(layout, field, names, length)
  part(layout, function(shown) return sub(names[shown[field]], 1, length) end, function(found)
    for at, name in pairs(names) do
      name = lower(sub(name, 1, length))
      if lower(sub(found.text, found.at, found.at + #name - 1)) == name then
        found[field], found.at = at, found.at + #name
        return nil
      end
    end
    return "a name such as " .. sub(names[1], 1, length)
  end)
end

local function half_of_day(am, pm)
  part(pm, function(shown) return shown.hour >= 12 and pm or am end, function(found)
    local is_pm = passed(found, pm)
    if not is_pm and not passed(found, am) then return am .. " or " .. pm end
    found.added_hours = is_pm and 12 or 0
  end)
end

local function half_hour(layout, written, digits)
  part(layout, function(shown)
    return format(written, (shown.hour + 11) % 12 + 1)
  end, reader_of("hour", digits, 0, 12))
end

local function offset_text(layout, offset)
  if offset == 0 and sub(layout, 1, 1) == "Z" then return "Z" end
  local written, away = gsub(sub(layout, 2), "%d%d", "%%02d"), abs(offset)
  return (offset < 0 and "-" or "+") .. format(written, away // 3600, away // 60 % 60, away % 60)
end

local function passed_utc(found, name)
  local here = passed(found, name)
  found.utc = found.utc or here
  return here
end

local function read_offset(found, layout)
  if sub(layout, 1, 1) == "Z" and passed_utc(found, "Z") then return nil end
  local digits = gsub(sub(layout, 2), "%d%d", "(%%d%%d)")
  local sign, hours, minutes, seconds = match(found.text, "^([+-])" .. digits, found.at)
  hours, minutes, seconds = tonumber(hours), tonumber(minutes or 0), tonumber(seconds or 0)
  if not hours or hours > 24 or minutes >= 60 or seconds >= 60 then
    return "an offset such as " .. gsub(layout, "Z", "-")
  end
  local offset = hours * 3600 + minutes * 60 + seconds
  found.offset, found.at = sign == "-" and -offset or offset, found.at + #layout
end

local ABBREVIATIONS =
  { "^ChST", "^MeST", "^GMT[+-]%d%d?", "^[+-]%d%d", "^WITA", "^%u%u%u%u?T%f[^%u]", "^%u%u%u%f[^%u]" }

local function write_abbreviation(shown)
  if shown.abbreviation ~= "" then return shown.abbreviation end
  return offset_text(shown.offset % 3600 == 0 and "-07" or "-0700", shown.offset)
end

local function read_abbreviation(found)
  if passed_utc(found, "UTC") then return nil end
  for _, pattern in ipairs(ABBREVIATIONS) do
    local name = match(found.text, pattern, found.at)
    if name then
      found.abbreviation, found.at = name, found.at + #name
      return nil
    end
  end
  return "the abbreviation of a time zone"
end

local function write_fraction(shown, layout)
  local places = #layout - 1
  local digits = sub(format("%09d", shown.nanosecond), 1, places)
  if sub(layout, 2, 2) == "0" then return sub(layout, 1, 1) .. digits .. rep("0", places - #digits) end
  digits = gsub(digits, "0+$", "")
  return digits == "" and "" or sub(layout, 1, 1) .. digits
end

-- Reads a fraction of just so many digits, or any that is there.
local function read_fraction(found, places)
  local digits = match(found.text, "^[.,](%d+)", found.at)
  if places and #(digits or "") < places then return "a fraction of " .. places .. " digits" end
  if not digits then return nil end
  digits = sub(digits, 1, places or -1)
  found.nanosecond, found.at = tonumber(sub(digits .. "00000000", 1, 9)), found.at + 1 + #digits
end

local read_short_year = reader_of("year", "(%d%d)", 0, 99)

-- Called when a layout is first taken apart: most states never do.
local function make_parts()
  name_of("January", "month", MONTHS, 9)
  name_of("Jan%f[^%l]", "month", MONTHS, 3)
  name_of("Monday", "weekday", WEEKDAYS, 9)
  name_of("Mon%f[^%l]", "weekday", WEEKDAYS, 3)
  part("MST", write_abbreviation, read_abbreviation)
  half_of_day("AM", "PM")
  half_of_day("am", "pm")
  part("2006", function(shown)
    return format(shown.year < 0 and "-%04d" or "%04d", abs(shown.year))
  end, reader_of("year", "(%d%d%d%d)", 0, 9999))
  number("__2", "day_of_the_year", "%3d", " ? ?(%d%d?%d?)", 1, 366)
  number("_2", "day", "%2d", " ?(%d%d?)", 0, 99)
  number("002", "day_of_the_year", "%03d", "(%d%d%d)", 1, 366)
  number("01", "month", "%02d", "(%d%d)", 1, 12)
  number("02", "day", "%02d", "(%d%d)", 0, 99)
  half_hour("03", "%02d", "(%d%d)")
  number("04", "minute", "%02d", "(%d%d)", 0, 59)
  number("05", "second", "%02d", "(%d%d)", 0, 59)
  part("06", function(shown) return format("%02d", max(shown.year, 0) % 100) end, function(found)
    local missing = read_short_year(found)
    if missing then return missing end
    found.year = found.year + (found.year >= 69 and 1900 or 2000)
  end)
  number("15", "hour", "%02d", "(%d%d?)", 0, 23)
  for _, digits in ipairs({ "0000", ":00:00", "00", ":00", "" }) do
    part("[-Z]07" .. digits, function(shown, layout) return offset_text(layout, shown.offset) end, read_offset)
  end
  part("[.,]0+%f[%D]", write_fraction, function(found, layout) return read_fraction(found, #layout - 1) end)
  part("[.,]9+%f[%D]", write_fraction, function(found) return read_fraction(found) end)
  number("1", "month", "%d", "(%d%d?)", 1, 12)
  number("2", "day", "%d", "(%d%d?)", 0, 99)
  half_hour("3", "%d", "(%d%d?)")
  number("4", "minute", "%d", "(%d%d?)", 0, 59)
  number("5", "second", "%d", "(%d%d?)", 0, 59)
end

-- Layouts ------------------------------------------------------------------------------------------------------------

local function part_at(layout, at)
  if sub(layout, at, at + 4) == "_2006" then return nil end -- not `_2`, but `2006` after a line
  if not parts[1] then make_parts() end
  for _, each in ipairs(parts) do
    local name = match(layout, each.pattern, at)
    if name then return each, name end
  end
end

local kept = setmetatable({}, { __mode = "v" }) -- layouts in pieces

-- Returns the parts of a layout, each with the text before it; the last one is such a text alone.
local function pieces_of(layout)
  if kept[layout] then return kept[layout] end
  local pieces, from, at = {}, 1, find(layout, "[JMPp_0-5Z.,-]")
  while at do
    local known, name = part_at(layout, at)
    if known then
      pieces[#pieces + 1] = { before = sub(layout, from, at - 1), name = name, write = known.write, read = known.read }
      from = at + #name
    end
    at = find(layout, "[JMPp_0-5Z.,-]", known and from or at + 1)
  end
  pieces[#pieces + 1] = { before = sub(layout, from) }
  kept[layout] = pieces
  return pieces
end

-- Returns the text of a Unix time where the zone has that offset and abbreviation, or nil and an error.
local function written(layout, seconds, nanosecond, offset, abbreviation)
  if #layout > MOST_TEXT then return invalid(TOO_LONG) end
  local days, rest = (seconds + offset) // DAY, (seconds + offset) % DAY
  local year, month, day = civil_of(days)
  local shown = {
    year = year, month = month, day = day, day_of_the_year = days - days_before(year, 1, 1) + 1,
    weekday = (days + 4) % 7, hour = rest // 3600, minute = rest // 60 % 60, second = rest % 60,
    nanosecond = nanosecond, offset = offset, abbreviation = abbreviation,
  }
  local text = {}
  for _, piece in ipairs(pieces_of(layout)) do
    text[#text + 1] = piece.before
    if piece.write then text[#text + 1] = piece.write(shown, piece.name) end
  end
  return concat(text)
end

-- Goes past what stands between parts; a space in the layout is any number of them, and the end of the text.
local function skip(found, before)
  for spaces, plain in gmatch(before, "( *)([^ ]*)") do
    local after = match(found.text, "^ +()", found.at)
    if spaces ~= "" and not after and found.at <= #found.text then return "a space" end
    if spaces ~= "" then found.at = after or found.at end
    if not passed(found, plain) then return '"' .. plain .. '"' end
  end
end

-- Returns nothing when all of the text is read into `found`, else what was expected at `found.at`.
local function read_all(found, pieces)
  for at, piece in ipairs(pieces) do
    local missing = skip(found, piece.before)
    if not missing and piece.read then missing = piece.read(found, piece.name) end
    if missing then return missing end
    local following = pieces[at + 1]
    local has_fraction = following and following.before == "" and find(following.name or "", "^[.,]")
    if (piece.name == "5" or piece.name == "05") and not has_fraction then read_fraction(found) end
  end
  if found.at <= #found.text then return "nothing more" end
end

-- Returns the days from 1970-01-01 to the day that was found, or nil if there is none.
local function days_of(found)
  local year = found.year or 0
  local days = days_before(year, 1, found.day_of_the_year or 1)
  if not found.day_of_the_year then days = days_before(year, found.month or 1, found.day or 1) end
  local its_year, month, day = civil_of(days)
  if its_year == year and month == (found.month or month) and day == (found.day or day) then return days end
end

-- Returns the Unix time and the location where the abbreviation is known: at that time, or else at another one of its
-- year, for a text that ignores summer time.
local function by_abbreviation(found, wall, known)
  local year, name = found.year or 0, found.abbreviation
  local moments = { wall - offset_at(known, wall), days_before(year, 1, 1) * DAY, days_before(year, 7, 1) * DAY }
  for _, moment in ipairs(moments) do
    local offset, there = offset_at(known, moment)
    if there == name then return wall - offset, known end
  end
  local hours = tonumber(match(name, "^GMT([+-]%d+)$") or match(name, "^[+-]%d+$")) or 0 -- 0, as Go does
  return wall - hours * 3600, fixed(name, hours * 3600)
end

local function placed(found, wall, location)
  local known, offset, name = location or localtz, found.offset, found.abbreviation
  if found.utc then return wall, utc end
  if offset then
    local there, its_name = offset_at(known, wall - offset)
    return wall - offset, there == offset and its_name == (name or its_name) and known or fixed(name or "", offset)
  end
  if name then return by_abbreviation(found, wall, known) end
  return from_wall(location or utc, wall), location or utc
end

-- Returns Unix seconds, nanoseconds and a location, or nil and an error. The location is that of a text which names
-- none, and whose offsets and abbreviations are known.
local function read(layout, text, location)
  if #layout > MOST_TEXT or #text > MOST_TEXT then return invalid(TOO_LONG) end
  local found = { text = text, at = 1 }
  local missing = read_all(found, pieces_of(layout))
  local days = days_of(found)
  if missing or not days then
    local wrong = missing and "expected " .. missing .. " at character " .. found.at .. " of"
      or found.day_of_the_year and "the day of the year does not fit in"
      or "there is no day " .. found.day .. " in that month in"
    return invalid("time.parse: " .. wrong .. ' "' .. sub(text, 1, 100) .. '"')
  end
  local hour = found.hour or 0
  if found.added_hours and hour <= 12 then hour = hour % 12 + found.added_hours end
  local wall = days * DAY + hour * 3600 + (found.minute or 0) * 60 + (found.second or 0)
  local seconds, its_location = placed(found, wall, location)
  return seconds, found.nanosecond or 0, its_location
end

time.MONTHS, time.WEEKDAYS, time.DAY, time.days_before, time.civil_of = MONTHS, WEEKDAYS, DAY, days_before, civil_of
time.written, time.read = written, read
