-- String patterns under a deadline. C runs a pattern to its end, however long that takes, so it does so only where the
-- pattern and the text cannot take long together; otherwise the text is walked here, where the count hook fires: each
-- position is tried by C if one trial is short, and else by a matcher in Lua with the same rules.
local kernel = ...
local error, tonumber, type = error, tonumber, type
local byte, find, sub, concat = string.byte, string.find, string.sub, table.concat
local pack, unpack, max, min = table.pack, table.unpack, math.max, math.min
local work = kernel.work

local MOST_STEPS = 2 * 1000 * 1000 -- of C's matcher in one go: some 20 ms
local MOST_REPLACED = 64 * 1024 * 1024 -- bytes that one gsub under a deadline may give
local WINDOW = 1024 * 1024 -- bytes of plain text searched in one go
local MOST_CAPTURES = 32 -- as in C
local MOST_DEPTH = 180 -- C allows 200
local MOST_PARSED = 100 -- patterns that are remembered

-- Without a position of its own, this code says that of the guest that called it.
local function fail(message)
  local place = kernel.frames(2)[1]
  error(place and place.source .. ":" .. place.line .. ": " .. message or message, 0)
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

-- A pattern as a list of items; `loops` is how many of them go through the text, `choices` how often they double that.
local function parse(pattern, at)
  local items = { loops = 0, choices = 1 + #pattern // 16, captures = 0 }
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
      closed[number] = true
      return add({ kind = "place", number = number }, at + 2)
    end
    open[#open + 1] = number
    add({ kind = "open", number = number }, at + 1)
  end
  local function special(second)
    if second == "b" then
      if at + 3 > #pattern then fail("malformed pattern (missing arguments to '%b')") end
      items.loops = items.loops + 1
      add({ kind = "balanced", one = "^" .. sub(pattern, at, at + 3), first = byte(pattern, at + 2) }, at + 4)
    elseif second == "f" then
      if sub(pattern, at + 2, at + 2) ~= "[" then fail("missing '[' after '%f' in pattern") end
      local stop = class_end(pattern, at + 2)
      add({ kind = "frontier", one = "^" .. sub(pattern, at, stop - 1) }, stop)
    else
      local number = tonumber(second)
      if not closed[number] then fail("invalid capture index %" .. second) end
      items.loops = items.loops + 1
      add({ kind = "back", number = number }, at + 2)
    end
  end
  local function single()
    local stop = class_end(pattern, at)
    local class, sign = sub(pattern, at, stop - 1), sub(pattern, stop, stop)
    if find(class, "^%p$") and class ~= "." then class = "%" .. class end
    local kind = REPETITIONS[sign]
    if kind == "optional" then items.choices = items.choices * 2 elseif kind then items.loops = items.loops + 1 end
    local item = { kind = kind or "one", one = "^" .. class, run = "^" .. class .. "*", least = sign == "+" and 1 or 0 }
    add(item, kind and stop + 1 or stop)
  end
  while at <= #pattern do
    local first, second = sub(pattern, at, at), sub(pattern, at + 1, at + 1)
    if first == "(" then
      capture()
    elseif first == ")" then
      close()
    elseif first == "$" and at == #pattern then
      add({ kind = "end" }, at + 1)
    elseif first == "%" and find(second, "^[bf%d]") then
      special(second)
    else
      single()
    end
  end
  if #open > 0 then fail("unfinished capture") end
  return items
end

local parsed, parsed_count = { [true] = {}, [false] = {} }, 0

-- `literal`: whether a first "^" means itself, as in gmatch.
local function items_of(pattern, literal)
  local items = parsed[literal][pattern]
  if items then return items end
  local anchored = not literal and byte(pattern) == 94
  items = parse(pattern, anchored and 2 or 1)
  items.anchored, items.attempt = anchored, anchored and pattern or "^" .. pattern
  if parsed_count == MOST_PARSED then parsed, parsed_count = { [true] = {}, [false] = {} }, 0 end
  parsed[literal][pattern], parsed_count = items, parsed_count + 1
  return items
end

-- The matcher --------------------------------------------------------------------------------------------------------

local text, items -- of the match that runs; no guest's code does meanwhile
local starts, ends = {}, {} -- of captures; where a place was captured, its end is false

local match
local step = {}

function step.greedy(item, at, index, depth)
  local _, last = find(text, item.run, at)
  work(last - at + 1)
  for stop = last + 1, at + item.least, -1 do
    local found = match(stop, index + 1, depth)
    if found then return found end
  end
end

function step.lazy(item, at, index, depth)
  while true do
    local found = match(at, index + 1, depth)
    if found then return found end
    if not find(text, item.one, at) then return nil end
    at = at + 1
  end
end

function step.optional(item, at, index, depth)
  local found = find(text, item.one, at) and match(at + 1, index + 1, depth)
  return found or match(at, index + 1, depth)
end

function step.open(item, at, index, depth)
  starts[item.number] = at
  return match(at, index + 1, depth)
end

function step.place(item, at, index, depth)
  starts[item.number], ends[item.number] = at, false
  return match(at, index + 1, depth)
end

function step.close(item, at, index, depth)
  ends[item.number] = at
  return match(at, index + 1, depth)
end

-- Items that match in one way at most: these say where they end, and nobody comes back to them.
local once = {}

function once.one(item, at) return find(text, item.one, at) and at + 1 end

function once.frontier(item, at) return find(text, item.one, at) and at end

once["end"] = function(_, at) return at == #text + 1 and at end

function once.balanced(item, at)
  if byte(text, at) ~= item.first then return nil end
  local _, last = find(text, item.one, at)
  work((last or #text) - at + 1)
  return last and last + 1
end

function once.back(item, at)
  if not ends[item.number] then return nil end -- a place has no text
  local length = ends[item.number] - starts[item.number]
  work(length)
  if at + length > #text + 1 then return nil end
  return sub(text, at, at + length - 1) == sub(text, starts[item.number], ends[item.number] - 1) and at + length
end

function match(at, index, depth)
  if depth > MOST_DEPTH then fail("pattern too complex") end
  while true do
    local item = items[index]
    if not item then return at end
    local single = once[item.kind]
    if not single then return step[item.kind](item, at, index, depth + 1) end
    at = single(item, at)
    if not at then return nil end
    index = index + 1
  end
end

local function captures()
  local found = { n = items.captures }
  for number = 1, found.n do
    local stop = ends[number]
    found[number] = stop and sub(text, starts[number], stop - 1) or starts[number]
  end
  return found
end

-- Returns start, end (inclusive) and captures of the match at a position.
local function match_here(subject, pattern_items, at)
  text, items = subject, pattern_items
  local stop = match(at, 1, 0)
  if stop then return at, stop - 1, captures() end
end

local function try_here(subject, pattern_items, at)
  if not find(subject, pattern_items.attempt, at) then return nil end
  local found = pack(find(subject, pattern_items.attempt, at))
  return at, found[2], { n = found.n - 2, unpack(found, 3, found.n) }
end

-- Public -------------------------------------------------------------------------------------------------------------

-- How the pattern is to be run on `length` bytes: nil if C may do it all, else the function that tries one position.
local function way_of(found_items, length)
  local steps = found_items.choices * (length + 1.0) ^ found_items.loops
  if steps > MOST_STEPS then return match_here end
  if not found_items.anchored and steps * (length + 1) > MOST_STEPS then return try_here end
end

local function search(try, subject, found_items, at)
  for position = at, found_items.anchored and at or #subject + 1 do
    local first, last, found = try(subject, found_items, position)
    if first then return first, last, found end
  end
end

local matching = { items_of = items_of, way_of = way_of, search = search, try_here = try_here }

-- What gmatch and gsub go through: like C, an empty match is none right behind the match before.
function matching.each(try, subject, found_items, at)
  local last_stop
  return function()
    while at <= #subject + 1 do
      local first, last, found = search(try, subject, found_items, at)
      if not first then
        at = #subject + 2
        return nil
      end
      if last + 1 ~= last_stop then
        at, last_stop = last + 1, last + 1
        if found_items.anchored then at = #subject + 2 end
        return first, last, found
      end
      at = first + 1
    end
  end
end

-- What a replacement text stands for at one match; `whole` is the match.
local function expanded(replacement, whole, found)
  local pieces, at = {}, 1
  while true do
    local sign = find(replacement, "%", at, true)
    if not sign then break end
    pieces[#pieces + 1] = sub(replacement, at, sign - 1)
    local what = sub(replacement, sign + 1, sign + 1)
    local number = find(what, "^%d$") and tonumber(what)
    if what == "%" then
      pieces[#pieces + 1] = "%"
    elseif number == 0 or number == 1 and found.n == 0 then
      pieces[#pieces + 1] = whole
    elseif number and number <= found.n then
      pieces[#pieces + 1] = found[number]
    elseif number then
      fail("invalid capture index %" .. number .. " in replacement string")
    else
      fail("invalid use of '%' in replacement string")
    end
    at = sign + 2
  end
  pieces[#pieces + 1] = sub(replacement, at)
  return concat(pieces)
end

local function replaced(replacement, whole, found)
  local kind = type(replacement)
  if kind == "string" then return expanded(replacement, whole, found) end
  if found.n == 0 then found = { n = 1, whole } end
  local value
  if kind == "table" then value = replacement[found[1]] else value = replacement(unpack(found, 1, found.n)) end
  if not value then return whole end
  if type(value) == "string" or type(value) == "number" then return value .. "" end
  fail("invalid replacement value (a " .. type(value) .. ")")
end

-- Whether C's gsub could write much more than it reads.
function matching.grows(subject, replacement)
  if type(replacement) ~= "string" then return false end
  local of_each = #replacement * (find(replacement, "%", 1, true) and #subject + 1 or 1)
  return (#subject + 1.0) * of_each > MOST_STEPS * 16
end

function matching.replace(try, subject, found_items, replacement, most)
  local pieces, at, count, size = {}, 1, 0, #subject
  local following = matching.each(try, subject, found_items, 1)
  while count < most do
    local first, last, found = following()
    if not first then break end
    local new = replaced(replacement, sub(subject, first, last), found)
    size = size + #new
    if size > MOST_REPLACED then fail("string.gsub: the result would be larger than 64 MiB") end
    work(#new)
    pieces[#pieces + 1] = sub(subject, at, first - 1)
    pieces[#pieces + 1] = new
    at, count = last + 1, count + 1
  end
  pieces[#pieces + 1] = sub(subject, at)
  return kernel.tables.concat(pieces), count
end

-- Finds plain text piece by piece: C needs up to the product of both lengths.
function matching.find_plain(subject, wanted, at)
  local width = max(1, min(WINDOW, MOST_STEPS * 16 // max(1, #wanted)))
  for start = at, #subject - #wanted + 1, width do
    local first = find(sub(subject, start, start + width + #wanted - 2), wanted, 1, true)
    work(width + #wanted)
    if first then return start + first - 1, start + first + #wanted - 2 end
  end
  return nil
end

kernel.matching = matching
