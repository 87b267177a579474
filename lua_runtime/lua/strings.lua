-- The library `string` as guests see it: bounded where C would allocate without end, and, under a deadline, where it
-- would run for long; without one, each function is C's own behind one test.
local kernel = ...
local collectgarbage, error, getmetatable, pcall, select, tonumber, tostring, type =
  collectgarbage, error, debug.getmetatable, pcall, select, tonumber, tostring, type
local tointeger, unpack = math.tointeger, table.unpack
local parts, error_text, is_armed, work = kernel.error_parts, kernel.error_text, kernel.is_armed, kernel.work
local matching, real = kernel.matching, string
local real_find, real_match, real_gmatch, real_rep, real_sub = real.find, real.match, real.gmatch, real.rep, real.sub

local MOST_REPEATED = 64 * 1024 * 1024 -- bytes of one string.rep
local is_text = { string = true, number = true }

local strings = { char = real.char, len = real.len }

-- C takes "3" and 3.0 for the integer 3, and a number for a string.
function strings.rep(text, times, separator)
  local count = tonumber(times)
  if count and count > 0 and is_text[type(text)] then
    local unit = #tostring(text) + (is_text[type(separator)] and #tostring(separator) or 0)
    if unit == 0 then return "" end
    if unit * (count + 0.0) > MOST_REPEATED then error("string.rep: the result would be larger than 64 MiB", 2) end
    work(unit * count)
    if kernel.NO_MEMORY and unit * count > 65536 then
      local ok, result = pcall(real_rep, text, times, separator)
      if ok then return result end
      collectgarbage() -- C's buffers, unlike all else, make no room for themselves
    end
  end
  return real_rep(text, times, separator)
end

-- What goes through all of its strings.
local function size_of(first, ...)
  local size = type(first) == "string" and #first or 1
  for at = 1, select("#", ...) do
    local value = select(at, ...)
    if type(value) == "string" then size = size + #value end
  end
  return size
end

for name in ("lower pack packsize reverse unpack upper"):gmatch("%a+") do
  local plain = real[name]
  strings[name] = function(...)
    if is_armed() then work(size_of(...)) end
    return plain(...)
  end
end

local format = kernel.limit_nesting("string.format", real.format)

function strings.format(...)
  if is_armed() then work(size_of(...)) end
  return format(...)
end

function strings.sub(...)
  local piece = real_sub(...)
  work(#piece)
  return piece
end

function strings.byte(text, first, last)
  if is_armed() and last and type(text) == "string" then
    local start, stop = tonumber(first) or 1, tonumber(last) or 1
    work(start > 0 and stop > 0 and 16 * (stop < #text and stop or #text) or #text)
  end
  return real.byte(text, first, last)
end

-- Patterns -----------------------------------------------------------------------------------------------------------

-- Returns the place where a search begins, nil if it is behind the text or no place at all.
local function begin(text, init)
  local at = init == nil and 1 or tointeger(tonumber(init))
  if not at then return nil end
  if at < 0 then at = #text + at + 1 end
  if at < 1 then at = 1 end
  return at <= #text + 1 and at or nil
end

-- The pattern's items, the way to run it and where to begin; no way if C may do it all.
local function plan(text, pattern, init, literal)
  if type(text) ~= "string" or type(pattern) ~= "string" then return nil end
  local at = begin(text, init)
  if not at then return nil end
  local items = matching.items_of(pattern, literal or false)
  return matching.way_of(items, #text - at + 1), items, at
end

-- C has done it: counts what it went through.
local function counted(text, init, anchored, ...)
  local _, last = ...
  if type(text) == "string" then
    local at = begin(text, init) or #text + 1
    work(anchored and (last or at) - at + 1 or (last or #text) - at + 1)
  end
  return ...
end

local function find_plain(text, wanted, init)
  local at = type(text) == "string" and type(wanted) == "string" and begin(text, init)
  if not at or wanted == "" then return real_find(text, wanted, init, true) end
  if #text * #wanted < 65536 then
    work(#text)
    return real_find(text, wanted, at, true)
  end
  return matching.find_plain(text, wanted, at)
end

function strings.find(text, pattern, init, plain)
  if not is_armed() then return real_find(text, pattern, init, plain) end
  if plain or type(pattern) == "string" and not real_find(pattern, "[%^%$%*%+%?%.%(%)%[%%%-]") then
    return find_plain(text, pattern, init)
  end
  local try, items, at = plan(text, pattern, init)
  if not try then return counted(text, init, items and items.anchored, real_find(text, pattern, init)) end
  local first, last, found = matching.search(try, text, items, at)
  if not first then return nil end
  return first, last, unpack(found, 1, found.n)
end

local function whole_or_captures(text, first, last, found)
  if not first then return nil end
  if found.n == 0 then return real_sub(text, first, last) end
  return unpack(found, 1, found.n)
end

function strings.match(text, pattern, init)
  if not is_armed() then return real_match(text, pattern, init) end
  local try, items, at = plan(text, pattern, init)
  if not try then
    if items then work(items.anchored and 16 or #text - at + 1) end
    return real_match(text, pattern, init)
  end
  return whole_or_captures(text, matching.search(try, text, items, at))
end

function strings.gmatch(text, pattern, init)
  if not is_armed() then return real_gmatch(text, pattern, init) end
  local try, items, at = plan(text, pattern, init, true)
  if not try then return real_gmatch(text, pattern, init) end
  local following = matching.each(try, text, items, at)
  return function() return whole_or_captures(text, following()) end
end

local gsub, calling_gsub = real.gsub, kernel.limit_nesting("string.gsub", real.gsub)

local function in_c(text, pattern, replacement, ...)
  if type(replacement) == "string" then return gsub(text, pattern, replacement, ...) end
  return calling_gsub(text, pattern, replacement, ...)
end

local REPLACES = { string = true, ["function"] = true, table = true }

function strings.gsub(text, pattern, replacement, most, ...)
  if not is_armed() then return in_c(text, pattern, replacement, most, ...) end
  local try, items = plan(text, pattern)
  local limit = most == nil and 1 << 62 or tointeger(tonumber(most))
  if not items or not limit or not REPLACES[type(replacement)] then return in_c(text, pattern, replacement, most) end
  if not try and not matching.grows(text, replacement) then
    work(#text * 16)
    return in_c(text, pattern, replacement, most)
  end
  return matching.replace(try or matching.try_here, text, items, replacement, limit)
end

local metatable = getmetatable("")
metatable.__index = strings
metatable.__metatable = false

-- As methods these see strings only; as library functions they take error objects too.
local lenient = {}
for name, plain in pairs(strings) do
  lenient[name] = function(subject, ...)
    if parts[subject] then subject = error_text(subject) end
    return plain(subject, ...)
  end
end
for name in ("char format pack packsize unpack"):gmatch("%a+") do lenient[name] = strings[name] end

kernel.strings = lenient
