-- The library `string` as guests see it, but for its searches: bounded where C would allocate without end, and, under a deadline, where it
-- would run for long; without one, each function is C's own behind two tests. All but those that take no text first take
-- error objects for it.
local kernel = ...
local error, getmetatable, select, tonumber, tostring, type =
  error, debug.getmetatable, select, tonumber, tostring, type
local math_type, tointeger = math.type, math.tointeger
local parts, error_text, state, work = kernel.error_parts, kernel.error_text, kernel.state, kernel.work
local real = string
local real_byte, real_find, real_len, real_rep, real_sub = real.byte, real.find, real.len, real.rep, real.sub

local MOST_MADE = 64 * 1024 * 1024 -- bytes of one string.rep, and under a deadline of one string.format or string.pack
local BLOCK = 4096 -- bytes that string.rep repeats at least: C copies each repetition by itself
local PIECE = 1024 * 1024 -- bytes that C changes in one go
local is_text = { string = true, number = true }

local strings = { char = real.char, packsize = real.packsize }

function strings.len(text)
  if parts[text] then text = error_text(text) end
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

repeated = kernel.with_room(repeated)

-- C takes "3" and 3.0 for the integer 3, and a number for a string.
function strings.rep(text, times, separator)
  if parts[text] then text = error_text(text) end
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

-- What goes through all of its strings.
local function work_on(name, first, ...)
  local size = type(first) == "string" and #first or 1
  for at = 1, select("#", ...) do
    local value = select(at, ...)
    if type(value) == "string" then size = size + #value end
  end
  if size > MOST_MADE then error("string." .. name .. ": the result would be larger than 64 MiB", 3) end
  work(size)
  return size
end

local format = kernel.with_room(kernel.limit_nesting("string.format", real.format))

function strings.format(...)
  if state.armed then
    local size, layout = work_on("format", ...), ...
    if size > PIECE and type(layout) == "string" and real_find(layout, "%%[^%a%%]*q") then
      error("string.format: more than 1 MiB with %q under a deadline", 2)
    end
  end
  return format(...)
end

function strings.pack(...)
  if state.armed then work_on("pack", ...) end
  return real.pack(...)
end

function strings.unpack(layout, text, init)
  if state.armed and type(text) == "string" then work(#text) end
  return real.unpack(layout, text, init)
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
  return function(text)
    if parts[text] then text = error_text(text) end
    if state.armed and type(text) == "string" then
      if #text > PIECE then return in_pieces(change, text, backwards) end
      work(#text)
    end
    return change(text)
  end
end

strings.lower, strings.upper = changer(real.lower), changer(real.upper)
strings.reverse = changer(real.reverse, true)

function strings.sub(text, first, last)
  if parts[text] then text = error_text(text) end
  if not state.armed then return real_sub(text, first, last) end
  local piece = real_sub(text, first, last)
  work(#piece)
  return piece
end

function strings.byte(text, first, last)
  if parts[text] then text = error_text(text) end
  if state.armed and last and type(text) == "string" then
    local start, stop = tonumber(first) or 1, tonumber(last) or 1
    work(start > 0 and stop > 0 and 16 * (stop < #text and stop or #text) or #text)
  end
  return real_byte(text, first, last)
end

local metatable = getmetatable("")
metatable.__index = strings
for name in real.gmatch("add sub mul mod pow div idiv unm", "%a+") do -- arithmetic reads the number in a string
  local plain = metatable["__" .. name]
  metatable["__" .. name] = function(left, right)
    if state.armed then work(#tostring(left) + #tostring(right)) end
    return plain(left, right)
  end
end
metatable.__metatable = false

kernel.strings = strings
