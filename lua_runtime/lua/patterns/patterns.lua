-- Patterns as lists of items, and what they cost.
--
-- C runs a pattern to its end, however long that takes, and no hook fires meanwhile. Under a deadline it gets only what
-- cannot take long; so here a pattern is read as C reads it, and its worst case is estimated. Loaded when a pattern first
-- needs it, as are windows.lua, matching.lua and replacing.lua.
local kernel = ...
local error, ipairs, tonumber = error, ipairs, tonumber
local byte, find, gmatch, gsub, sub = string.byte, string.find, string.gmatch, string.gsub, string.sub
local concat, max = table.concat, math.max
local work, limits = kernel.work, kernel.pattern_limits
local MOST_STEPS, MOST_PATTERN = limits.MOST_STEPS, limits.MOST_PATTERN

local MOST_CAPTURES = 32 -- as in C
local MOST_PARSED = 100 -- patterns that are remembered
local LONG_CLASS = 64 -- bytes; C goes through a class for each byte of the text
local QUICK_PATTERN = 256 -- bytes of one that C runs without being counted
local NO_BYTE = "[^%s%S]"

-- Without a position of its own, this code says that of the guest that called it.
local function fail(message)
  local place = kernel.frames(2, 500)[1] -- the matcher may be 200 levels deep
  error(place and place.source .. ":" .. place.line .. ": " .. message or message, 0)
end

-- Classes -------------------------------------------------------------------------------------------------------------

local BYTES = {}
for value = 0, 255 do BYTES[value + 1] = string.char(value) end
BYTES = concat(BYTES)

local function escaped(bytes) return (gsub(bytes, "%W", "%%%0")) end

local function bytes_outside(class) return (gsub(BYTES, class, "")) end

local function bytes_of(class)
  local found = {}
  for each in gmatch(BYTES, class) do found[#found + 1] = each end
  return concat(found)
end

-- A class of the bytes given, some perhaps twice; nil for none.
local function class_of(bytes)
  if bytes == "" then return nil end
  local class = "[" .. escaped(bytes) .. "]"
  if #bytes <= 128 then return class end
  local others = bytes_outside(class)
  return others == "" and "." or "[^" .. escaped(others) .. "]"
end

-- Patterns -----------------------------------------------------------------------------------------------------------

-- Returns where the single class that begins at `at` ends, exclusive.
local function class_end(pattern, at)
  local first = sub(pattern, at, at)
  if first == "%" then
    if at == #pattern then fail("malformed pattern (ends with '%')") end
    return at + 2
  end
  if first ~= "[" then return at + 1 end
  at = at + 1
  if sub(pattern, at, at) == "^" then at = at + 1 end
  repeat
    if at > #pattern then fail("malformed pattern (missing ']')") end
    at = at + (sub(pattern, at, at) == "%" and 2 or 1)
  until sub(pattern, at, at) == "]"
  return at + 1
end

local REPETITIONS = { ["*"] = "greedy", ["+"] = "greedy", ["-"] = "lazy", ["?"] = "optional" }

-- Reads a pattern from `at` on. Each item has a `kind`, and as its kind asks: `source`, its text (captures have none), `class`,
-- the single class it takes, `least`, how many of it at least, and `number`, of a capture.
local function parse(pattern, at)
  local items = { captures = 0, size = #pattern }
  local open, closed = {}, {}
  local function add(item, next_at)
    items[#items + 1] = item
    at = next_at
  end
  local function close()
    local number = open[#open]
    if not number then fail("invalid pattern capture") end
    open[#open], closed[number] = nil, true
    add({ kind = "close", number = number }, at + 1)
  end
  local function capture()
    local number = items.captures + 1
    if number > MOST_CAPTURES then fail("too many captures") end
    items.captures = number
    if sub(pattern, at + 1, at + 1) == ")" then
      closed[number], items.places = true, true
      return add({ kind = "place", number = number }, at + 2)
    end
    open[#open + 1] = number
    add({ kind = "open", number = number }, at + 1)
  end
  local function special(second)
    if second == "b" then
      if at + 3 > #pattern then fail("malformed pattern (missing arguments to '%b')") end
      add({ kind = "balanced", source = sub(pattern, at, at + 3) }, at + 4)
    elseif second == "f" then
      if sub(pattern, at + 2, at + 2) ~= "[" then fail("missing '[' after '%f' in pattern") end
      local stop = class_end(pattern, at + 2)
      items.frontiers = true
      add({ kind = "frontier", source = sub(pattern, at, stop - 1) }, stop)
    else
      local number = tonumber(second)
      if not closed[number] then fail("invalid capture index %" .. second) end
      add({ kind = "back", number = number }, at + 2)
    end
  end
  local function single()
    local stop = class_end(pattern, at)
    local class, sign = sub(pattern, at, stop - 1), sub(pattern, stop, stop)
    if find(class, "^%p$") and class ~= "." then class = "%" .. class end
    if #class > LONG_CLASS then
      work(#class * 64)
      class = class_of(bytes_of(class)) or NO_BYTE
    end
    local kind = REPETITIONS[sign]
    local source = kind and class .. sign or class
    add({ kind = kind or "one", class = class, source = source, least = sign == "+" and 1 or 0 }, kind and stop + 1 or stop)
  end
  while at <= #pattern do
    local first, second = sub(pattern, at, at), sub(pattern, at + 1, at + 1)
    if first == "(" then
      capture()
    elseif first == ")" then
      close()
    elseif first == "$" and at == #pattern then
      add({ kind = "end", source = "$" }, at + 1)
    elseif first == "%" and find(second, "^[bf%d]") then
      special(second)
    else
      single()
    end
  end
  if #open > 0 then fail("unfinished capture") end
  return items
end

-- What a pattern costs ------------------------------------------------------------------------------------------------

local REPEATS = { greedy = true, lazy = true }
local IS_CAPTURE = { open = true, close = true, place = true }
local MAY_BE_EMPTY = { open = true, close = true, place = true, greedy = true, lazy = true, optional = true }

-- Whether what follows an item can never begin with a byte of its class. Then only the end of its run is worth trying:
-- before that end, whatever may be empty is, and the first item that may not be fails at its first byte.
local function is_calm(items, index)
  local class = items[index].class
  for at = index + 1, #items do
    local item = items[at]
    if item.kind == "end" then return true end
    if item.kind == "back" or item.kind == "frontier" then return false end
    if not IS_CAPTURE[item.kind] then
      if find(bytes_of(class), item.class or escaped(sub(item.source, 3, 3))) then return false end
      if not MAY_BE_EMPTY[item.kind] or item.least == 1 then return true end
    end
  end
  return false
end

-- The class of the bytes that a run of an item never goes over; nil if there are none. A lazy run stops at the first byte
-- that the next item takes, if nothing can fail behind that: the attempt has succeeded.
local function barrier_of(items, index)
  local item = items[index]
  if item.kind == "lazy" then
    local at = index + 1
    while items[at] and IS_CAPTURE[items[at].kind] do at = at + 1 end
    local following = items[at]
    if following and following.kind == "one" and following.certain_after then
      return class_of(bytes_outside(item.class) .. bytes_of(following.class))
    end
  end
  return class_of(bytes_outside(item.class))
end

-- Gives each item `certain_after` (what follows matches anywhere), `calm`, `barrier`, and `power`: an attempt from this item
-- on takes at most about the length of the text to that power. A run that can be given back multiplies what follows by the
-- length; one that is calm, or that nothing asks back, only adds to it.
local function study(items)
  local certain, power = true, 0
  items.choices, items.nullable = 1.0 + items.size // 16, true -- a float, for it may be huge
  for index = #items, 1, -1 do
    local item = items[index]
    item.certain_after = certain
    if not MAY_BE_EMPTY[item.kind] or item.least == 1 then certain = false end
    if item.kind == "one" or item.kind == "balanced" or item.least == 1 then items.nullable = false end
    if REPEATS[item.kind] then
      item.calm, item.barrier = is_calm(items, index), barrier_of(items, index)
      power = (item.calm or item.certain_after) and max(1, power) or power + 1
    elseif item.kind == "optional" then
      items.choices = items.choices * 2
    elseif item.kind == "balanced" or item.kind == "back" then
      power = max(1, power)
    end
    item.power = power
  end
  return items
end

-- The power for attempts everywhere. One that fails before its first long item takes one step; one that cannot fail behind it
-- ends the search. All others may go through the whole text, one after the other.
local function search_power(items, index)
  local power = items[index] and items[index].power or 0
  for at = index, #items do
    local item = items[at]
    if REPEATS[item.kind] or item.kind == "optional" then return item.certain_after and max(1, power) or power + 1 end
    if item.kind == "balanced" or item.kind == "back" then return power + 1 end
  end
  return 1
end

-- Whether a match that ends before the end of a piece of text is that of the whole text: each run stops for good at the first
-- byte that it does not take, so that nothing has read more than what matches and one byte behind it.
local function is_quick(items, anchored)
  if items.frontiers or items.places or not anchored and search_power(items, 1) > 1 then return false end
  for _, item in ipairs(items) do
    local kind = item.kind
    if kind == "back" or kind == "balanced" or kind == "end" then return false end
    if (REPEATS[kind] or kind == "optional") and not item.certain_after and not item.calm then return false end
  end
  return true
end

local parsed, parsed_count = { [true] = {}, [false] = {} }, 0

-- Adds to the items what concerns the pattern as a whole. `literal`: whether a first "^" means itself, as in gmatch.
local function remember(pattern, literal)
  if #pattern > MOST_PATTERN then fail("a pattern of more than " .. MOST_PATTERN .. " bytes under a deadline") end
  local anchored = not literal and byte(pattern) == 94
  local items = study(parse(pattern, anchored and 2 or 1))
  items.anchored, items.pattern, items.sections = anchored, pattern, {}
  items.quick = #pattern <= QUICK_PATTERN and is_quick(items, anchored)
  local first = items[1]
  items.first = anchored and first and (first.kind == "one" or first.least == 1) and "^" .. first.class
  items.search_power = anchored and max(1, items[1] and items[1].power or 0) or search_power(items, 1)
  if parsed_count == MOST_PARSED then parsed, parsed_count = { [true] = {}, [false] = {} }, 0 end
  parsed[literal][pattern], parsed_count = items, parsed_count + 1
  return items
end

-- Whether C may run the pattern on `length` bytes.
local function is_cheap(items, length)
  local steps = items.choices * (length + 1.0) ^ items.search_power
  if steps > MOST_STEPS then return false end
  work(steps / 4)
  return true
end

local function items_of(pattern, literal) return parsed[literal][pattern] or remember(pattern, literal) end

kernel.patterns = {
  fail = fail,
  escaped = escaped,
  items_of = items_of,
  is_cheap = is_cheap,
  search_power = search_power,
  REPEATS = REPEATS,
  IS_CAPTURE = IS_CAPTURE,
  MOST_CAPTURES = MOST_CAPTURES,
}
