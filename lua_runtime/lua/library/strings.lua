-- The library `string` as guests see it, but for its searches: bounded where C would allocate without end, and, under a deadline, where it
-- would run for long; without one, each function is C's own behind two tests. All but those that take no text first take
-- error objects for it.
local kernel = ...
local error, select, tonumber, tostring, type = error, select, tonumber, tostring, type
local math_type, tointeger, unpack = math.type, math.tointeger, table.unpack
local parts, error_text, state, work = kernel.error_parts, kernel.error_text, kernel.state, kernel.work
local pointer, HAS_ADDRESS = kernel.pointer, kernel.HAS_ADDRESS
local real = string
local real_byte, real_find, real_len, real_rep, real_sub = real.byte, real.find, real.len, real.rep, real.sub
local real_gmatch, real_gsub = real.gmatch, real.gsub

local MOST_MADE = 64 * 1024 * 1024 -- bytes of one string.rep, and under a deadline of one string.format or string.pack
local BLOCK = 4096 -- bytes that string.rep repeats at least: C copies each repetition by itself
local PIECE = 1024 * 1024 -- bytes that C changes in one go
local MOST_LAYOUT = 16 * 1024 -- bytes of a layout of format, pack or unpack under a deadline
local ELEMENT = 500 -- bytes that format makes of a value that is no text: "%99.99f"
local is_text = { string = true, number = true }

local strings = {}

function strings.len(text)
  if type(text) == "table" and parts[text] then text = error_text(text) end
  return real_len(text)
end

local function repeated(text, count, separator)
  local unit = #text + #separator
  local many = unit < BLOCK and BLOCK // unit or 1
  if count < 4 * many then return real_rep(text, count, separator) end
  local rest = (count - 1) % many + 1
  local block = real_rep(text, many, separator) .. separator
  return real_rep(block, (count - rest) // many) .. real_rep(text, rest, separator)
end

-- C takes "3" and 3.0 for the integer 3, and a number for a string.
function strings.rep(text, times, separator)
  if type(text) == "table" and parts[text] then text = error_text(text) end
  if not separator and math_type(times) == "integer" and times <= 4096 and type(text) == "string" then
    if #text * times <= 4096 then return real_rep(text, times) end
  end
  local count = tointeger(tonumber(times))
  local fits = is_text[type(text)] and (separator == nil or is_text[type(separator)])
  if not count or count < 1 or not fits then return real_rep(text, times, separator) end
  text, separator = tostring(text), tostring(separator or "")
  local unit = #text + #separator
  if unit == 0 then return "" end
  if unit * (count + 0.0) > MOST_MADE then error("string.rep: the result would be larger than 64 MiB", 2) end
  work(unit * count)
  return repeated(text, count, separator)
end

repeated = kernel.with_room(repeated)

local function bytes_of(value) return type(value) == "string" and #value or ELEMENT end

-- Returns the bytes of what comes from a layout and its values; a value of no text makes at most some hundreds.
local function size_of(name, layout, ...)
  local size = type(layout) == "string" and #layout or 1
  if size > MOST_LAYOUT then
    error("string." .. name .. ": a layout of more than " .. MOST_LAYOUT .. " bytes under a deadline", 3)
  end
  local count, first, second = select("#", ...), ...
  if count <= 2 then
    size = size + bytes_of(first) + bytes_of(second)
  else
    local given = { ... }
    for at = 1, count do size = size + bytes_of(given[at]) end
  end
  if size > MOST_MADE then error("string." .. name .. ": the result would be larger than 64 MiB", 3) end
  return size
end

local format = kernel.with_room(real.format)

-- Gives what "%s" and "%p" would show of an object as text: no address, and no code that runs while C has a buffer.
local function without_objects(layout, ...)
  local given, kinds = { ... }, {}
  layout = real_gsub(layout, "(%%[^%a%%]*)(.)", function(flags, kind)
    if kind == "%" then return nil end
    kinds[#kinds + 1] = kind
    return kind == "p" and flags .. "s" or nil
  end)
  for at = 1, #kinds do
    local value = given[at]
    if kinds[at] == "p" then
      given[at] = pointer(value)
    elseif kinds[at] == "s" and HAS_ADDRESS[type(value)] then
      given[at] = tostring(value)
    end
  end
  return (format(layout, unpack(given, 1, select("#", ...)))) -- no tail call: messages say what the guest called
end

local function any_object(first, second, third, ...)
  if HAS_ADDRESS[type(first)] or HAS_ADDRESS[type(second)] or HAS_ADDRESS[type(third)] then return true end
  return select("#", ...) > 0 and any_object(...)
end

function strings.format(...)
  local layout = ...
  if type(layout) ~= "string" then return (format(...)) end
  if state.armed then
    local size = size_of("format", ...)
    work(size)
    if size > PIECE and real_find(layout, "%%[^%a%%]*q") then
      error("string.format: more than 1 MiB with %q under a deadline", 2)
    end
  end
  if not any_object(...) and not real_find(layout, "p", 1, true) then return (format(...)) end
  return (without_objects(...))
end

-- "c" and "!" make what they say, without a value for it.
local function check_widths(layout)
  local made = 0
  for width in real_gmatch(layout, "c%s*(%d+)") do
    made = made + tonumber(width)
    if made > MOST_MADE then error("string.pack: the result would be larger than 64 MiB", 3) end
  end
  work(made)
end

local pack = kernel.with_room(real.pack)

function strings.pack(...)
  if state.armed then
    work(size_of("pack", ...))
    local layout = ...
    if type(layout) == "string" then check_widths(layout) end
  end
  return pack(...)
end

function strings.unpack(...)
  local layout, text = ...
  if state.armed and type(text) == "string" then
    work(#text)
    size_of("unpack", layout)
  end
  return real.unpack(...)
end

local function in_pieces(change, text, backwards)
  local changed, count = {}, (#text + PIECE - 1) // PIECE
  for at = 1, count do
    local piece = real_sub(text, (at - 1) * PIECE + 1, at * PIECE)
    changed[backwards and count - at + 1 or at] = change(piece)
    work(PIECE)
  end
  return kernel.tables.concat(changed)
end

local function changer(change, backwards)
  change = kernel.with_room(change)
  return function(...)
    local text = ...
    if type(text) == "table" and parts[text] then text = error_text(text) end
    if state.armed and type(text) == "string" then
      if #text > PIECE then return in_pieces(change, text, backwards) end
      work(#text)
    end
    if type(text) ~= "string" then return change(...) end
    return change(text)
  end
end

strings.lower, strings.upper = changer(real.lower), changer(real.upper)
strings.reverse = changer(real.reverse, true)

function strings.sub(text, first, last)
  if type(text) == "table" and parts[text] then text = error_text(text) end
  if not state.armed then return real_sub(text, first, last) end
  local piece = real_sub(text, first, last)
  work(#piece)
  return piece
end

function strings.byte(text, first, last)
  if type(text) == "table" and parts[text] then text = error_text(text) end
  if state.armed and last and type(text) == "string" then
    local start, stop = tonumber(first) or 1, tonumber(last) or 1
    work(start > 0 and stop > 0 and 16 * (stop < #text and stop or #text) or #text)
  end
  return real_byte(text, first, last)
end

local metatable = debug.getmetatable("")
for name in real.gmatch("add sub mul mod pow div idiv unm", "%a+") do -- arithmetic reads the number in a string
  local plain = metatable["__" .. name]
  metatable["__" .. name] = function(left, right)
    if state.armed then work((type(left) == "string" and #left or 0) + (type(right) == "string" and #right or 0)) end
    return plain(left, right)
  end
end

kernel.strings = strings
