-- The library `string` as guests see it: bounded where C would allocate without end, and, under a deadline, where it
-- would run for long; without one, each function is C's own behind two tests. All but those that take no text first take
-- error objects for it.
local kernel = ...
local error, getmetatable, select, tonumber, tostring, type =
  error, debug.getmetatable, select, tonumber, tostring, type
local math_type, tointeger, setmetatable, unpack = math.type, math.tointeger, setmetatable, table.unpack
local parts, error_text, state, work = kernel.error_parts, kernel.error_text, kernel.state, kernel.work
local matching, real = kernel.matching, string
local is_short, is_cheap, items_of = matching.is_short, matching.is_cheap, matching.items_of
local search, settle, FIRST = matching.search, matching.settle, matching.FIRST
local real_find, real_match, real_gmatch, real_rep, real_sub = real.find, real.match, real.gmatch, real.rep, real.sub
local real_byte, real_len, real_gsub = real.byte, real.len, real.gsub

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

-- Patterns -----------------------------------------------------------------------------------------------------------

-- Returns the place where a search begins, nil if it is behind the text or no place at all.
local function begin(text, init)
  if init == nil then return 1 end
  local at = tointeger(tonumber(init))
  if not at then return nil end
  if at < 0 then at = #text + at + 1 end
  if at < 1 then at = 1 end
  return at <= #text + 1 and at or nil
end

-- The pattern's items and where to begin; nil if C may do it all.
local function plan(text, pattern, init, literal)
  if type(text) ~= "string" or type(pattern) ~= "string" then return nil end
  local at = begin(text, init)
  if at then return items_of(pattern, literal), at end
end

local function found(first, last, captured)
  if not first then return nil end
  return first, last, unpack(captured, 1, captured.n)
end

local function find_any(text, items, at)
  if is_cheap(items, #text - at + 1) then return real_find(text, items.pattern, at) end
  return found(search(text, items, at))
end

local function find_quick(text, items, at)
  return settle(text, items, at, find_any, real_find(real_sub(text, at, at + FIRST - 1), items.pattern))
end

local quick = setmetatable({}, { __mode = "v" }) -- the items of quick patterns, by pattern

local function find_guarded(text, pattern, init)
  local items, at = plan(text, pattern, init, false)
  if not items then return real_find(text, pattern, init) end
  if not items.quick then return find_any(text, items, at) end
  quick[pattern] = items
  return find_quick(text, items, at)
end

local function find_plain(text, wanted, init)
  local at = type(text) == "string" and type(wanted) == "string" and begin(text, init)
  if not at or wanted == "" then return real_find(text, wanted, init, true) end
  return matching.find_plain(text, wanted, at)
end

function strings.find(text, pattern, init, plain)
  if parts[text] then text = error_text(text) end
  if not state.armed then return real_find(text, pattern, init, plain) end
  local items = not plain and quick[pattern]
  if items and math_type(init) == "integer" and type(text) == "string" and init > 0 and init <= #text then
    return find_quick(text, items, init)
  end
  if is_short(text, pattern) then return real_find(text, pattern, init, plain) end
  if plain or type(pattern) == "string" and not real_find(pattern, "[%^%$%*%+%?%.%(%)%[%%%-]") then
    return find_plain(text, pattern, init)
  end
  return find_guarded(text, pattern, init)
end

-- What match gives for what find gives.
local function matched(text, first, last, ...)
  if not first then return nil end
  if select("#", ...) == 0 then return real_sub(text, first, last) end
  return ...
end

function strings.match(text, pattern, init)
  if parts[text] then text = error_text(text) end
  if not state.armed or is_short(text, pattern) or type(text) ~= "string" then return real_match(text, pattern, init) end
  return matched(text, find_guarded(text, pattern, init))
end

function strings.gmatch(text, pattern, init)
  if parts[text] then text = error_text(text) end
  if not state.armed or is_short(text, pattern) then return real_gmatch(text, pattern, init) end
  local items, at = plan(text, pattern, init, true)
  if not items or is_cheap(items, #text - at + 1) then return real_gmatch(text, pattern, init) end
  return matching.gmatch(text, items, at)
end

local calling_gsub = kernel.limit_nesting("string.gsub", real_gsub)
local REPLACES = { string = kernel.with_room(real_gsub), ["function"] = calling_gsub, table = calling_gsub }

function strings.gsub(text, pattern, replacement, most)
  if parts[text] then text = error_text(text) end
  local in_c = REPLACES[type(replacement)] or real_gsub
  if not state.armed then return in_c(text, pattern, replacement, most) end
  local items, limit = nil, most == nil and 1 << 62 or tointeger(tonumber(most))
  local grows = matching.grows(text, replacement)
  if limit and (grows or not is_short(text, pattern)) then items = plan(text, pattern, 1, false) end
  if not items or not grows and is_cheap(items, #text) then return in_c(text, pattern, replacement, most) end
  return matching.gsub(text, items, replacement, limit, in_c)
end

local metatable = getmetatable("")
metatable.__index = strings
metatable.__metatable = false

kernel.strings = strings
