-- String patterns under a deadline. C runs a pattern to its end, however long that takes, so it gets only what cannot take
-- long: the whole text where the worst case of the pattern allows it, else windows of the text. What no window decides is
-- matched here, where the count hook fires, by the same rules.
--
-- A window is a piece of the text that C searches as if it were all. What C says of an attempt (a place where the pattern
-- may begin to match) is true for the whole text if the attempt never reads the window's end. `lowest_open` gives the
-- lowest place whose attempt might; all that begins below is decided, and the next window begins there.
local kernel = ...
local error, ipairs, tonumber, type = error, ipairs, tonumber, type
local byte, find, gmatch, gsub, reverse, sub =
  string.byte, string.find, string.gmatch, string.gsub, string.reverse, string.sub
local concat, unpack, max, min, huge = table.concat, table.unpack, math.max, math.min, math.huge
local work, check = kernel.work, kernel.check

local MOST_STEPS = 4 * 1000 * 1000 -- of C's matcher in one go: some 20 ms
local FEW_STEPS = MOST_STEPS // 16 -- so few that the pattern need not be looked at
local MOST_REPLACED = 64 * 1024 * 1024 -- bytes that one gsub under a deadline may give
local FIRST, PIECE = 256, 64 * 1024 -- bytes of text that C goes through at once, at first and at most
local LEAST_WINDOW = 128 -- a pattern whose windows must be shorter has none
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

-- A pattern as a list of items; `source` is the text of one, without captures.
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

local BYTES = {}
for value = 0, 255 do BYTES[value + 1] = string.char(value) end
BYTES = concat(BYTES)

local function escaped(bytes) return (gsub(bytes, "%W", "%%%0")) end

local REPEATS = { greedy = true, lazy = true }
local IS_CAPTURE = { open = true, close = true, place = true }
local MAY_BE_EMPTY = { open = true, close = true, place = true, greedy = true, lazy = true, optional = true }

local function bytes_outside(class) return (gsub(BYTES, class, "")) end

local function are_disjoint(class, other)
  local outside = bytes_outside(class)
  local _, both_outside = gsub(outside, other, "")
  return both_outside == 256 - #bytes_outside(other)
end

-- A class of the bytes given; nil for none.
local function class_of(bytes)
  if bytes == "" then return nil end
  local inverse = #bytes > 128
  if inverse then bytes = bytes_outside("[" .. escaped(bytes) .. "]") end
  if bytes == "" then return "." end
  return (inverse and "[^" or "[") .. escaped(bytes) .. "]"
end

-- Whether what follows an item can never begin with a byte of its class: then only one end of its run is worth trying.
local function is_calm(items, index)
  local class = items[index].class
  for at = index + 1, #items do
    local item = items[at]
    if item.kind == "end" then return true end
    if item.kind == "back" or item.kind == "frontier" then return false end
    if not IS_CAPTURE[item.kind] then
      if not are_disjoint(class, item.class or escaped(sub(item.source, 3, 3))) then return false end
      if not MAY_BE_EMPTY[item.kind] or item.least == 1 then return true end
    end
  end
  return false
end

-- The class of bytes at which a run of an item ends; nil if it ends with the text only.
local function barrier_of(items, index)
  local item, bytes = items[index], bytes_outside(items[index].class)
  if item.kind == "lazy" then
    local at = index + 1
    while items[at] and IS_CAPTURE[items[at].kind] do at = at + 1 end
    local following = items[at]
    if following and following.kind == "one" and items[at].certain_after then
      bytes = bytes .. bytes_outside(class_of(bytes_outside(following.class)) or "[]%z]*")
    end
  end
  return class_of(bytes)
end

-- Gives each item `certain_after` (what follows matches anywhere), `calm`, `barrier`, and `power`: an attempt from this item
-- on takes at most about the length of the text to that power.
local function study(items)
  local certain, power = true, 0
  items.choices, items.nullable = 1.0 + items.size // 16, true -- a float, for it may be huge
  for index = #items, 1, -1 do
    local item = items[index]
    if item.kind == "one" or item.kind == "balanced" or item.least == 1 then items.nullable = false end
    item.certain_after = certain
    certain = certain and MAY_BE_EMPTY[item.kind] and item.least ~= 1
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

-- Sections: a pattern from one of its items on ------------------------------------------------------------------------

-- The power for a search: attempts that fail take one step only if nothing can fail after the first long item.
local function search_power(items, index)
  local power = items[index] and items[index].power or 0
  for at = index, #items do
    local item = items[at]
    if REPEATS[item.kind] or item.kind == "optional" then return item.certain_after and max(1, power) or power + 1 end
    if item.kind == "balanced" or item.kind == "back" then return power + 1 end
  end
  return 1
end

-- The items of a section that take text, as far as one of them or the pattern's end still reads what comes behind them.
local function path_of(items, index)
  local path, windows, read = {}, true, 0
  for at = index, #items do
    local item = items[at]
    local kind = item.kind
    local last = path[#path]
    if kind == "back" or REPEATS[kind] and not item.barrier then windows = false end
    if last and last.kind == "balanced" and not IS_CAPTURE[kind] then windows = false end
    if kind == "end" or kind == "frontier" then read = #path end
    if item.class or kind == "balanced" then
      read = #path
      path[#path + 1] = item
      if kind == "greedy" or kind == "optional" or kind == "balanced" then read = #path end
    end
  end
  return path, read, windows
end

-- The single classes that a section begins with.
local function head_of(items, index)
  local head, size = "", 0
  for at = index, #items do
    local item = items[at]
    if item.kind == "one" or item.least == 1 then
      head, size = head .. item.class, size + 1
      if item.kind ~= "one" then break end
    elseif item.kind == "balanced" then
      return head .. escaped(sub(item.source, 3, 3)), size + 1
    elseif not IS_CAPTURE[item.kind] then
      break
    end
  end
  return size > 0 and head or nil, size
end

local function section_of(items, index)
  local section = items.sections[index]
  if section then return section end
  local source = {}
  for at = index, #items do source[#source + 1] = items[at].source end
  section = { pattern = concat(source), power = search_power(items, index) }
  section.head, section.head_size = head_of(items, index)
  section.path, section.read, section.windows = path_of(items, index)
  section.width = min(PIECE, (MOST_STEPS / items.choices) ^ (1 / section.power) // 1 | 0)
  section.windows = section.windows and section.width >= LEAST_WINDOW
  items.sections[index] = section
  return section
end

-- Whether a match that ends before the end of a piece of text is that of the whole text: what such a pattern reads is what
-- matches and one byte more, for nothing long can fail.
local function is_quick(items, anchored)
  local fails = not anchored and search_power(items, 1) > 1
  for _, item in ipairs(items) do
    local kind = item.kind
    if kind == "back" or kind == "balanced" or kind == "end" then fails = true end
    if (REPEATS[kind] or kind == "optional") and not item.certain_after and not item.calm then fails = true end
  end
  return not (fails or items.frontiers or items.places)
end

local parsed, parsed_count = { [true] = {}, [false] = {} }, 0

-- `literal`: whether a first "^" means itself, as in gmatch.
local function remember(pattern, literal)
  local anchored = not literal and byte(pattern) == 94
  local items = study(parse(pattern, anchored and 2 or 1))
  items.anchored, items.pattern, items.sections = anchored, pattern, {}
  items.quick = is_quick(items, anchored)
  local first = items[1]
  items.first = anchored and first and (first.kind == "one" or first.least == 1) and "^" .. first.class
  items.search_power = anchored and max(1, items[1] and items[1].power or 0) or search_power(items, 1)
  if parsed_count == MOST_PARSED then parsed, parsed_count = { [true] = {}, [false] = {} }, 0 end
  parsed[literal][pattern], parsed_count = items, parsed_count + 1
  return items
end

local longest, longest_count = {}, 0 -- pattern -> length of texts that C searches in few steps, whatever the pattern means

local function is_short(subject, pattern)
  local length = longest[pattern]
  if not length then
    if type(pattern) ~= "string" then return false end
    local _, loops = gsub(gsub(pattern, "%%[b%d]", "*"), "[*+%-?]", "")
    length = FEW_STEPS ^ (1 / (loops + 1)) / (1 + #pattern // 16) - 1
    if longest_count == MOST_PARSED then longest, longest_count = {}, 0 end
    longest[pattern], longest_count = length, longest_count + 1
  end
  if type(subject) ~= "string" or #subject > length then return false end
  work(FEW_STEPS // 4)
  return true
end

-- Whether C may run the pattern on `length` bytes.
local function is_cheap(items, length)
  local steps = items.choices * (length + 1.0) ^ items.search_power
  if steps > MOST_STEPS then return false end
  work(steps / 4)
  return true
end

local function items_of(pattern, literal) return parsed[literal][pattern] or remember(pattern, literal) end

-- Windows ------------------------------------------------------------------------------------------------------------

-- The place behind the last byte of a class before `at`; 1 if there is none.
local function behind_last(window, class, at)
  local size = 128
  repeat
    local start = max(1, at - size)
    local _, last = find(sub(window, start, at - 1), "^.*" .. class)
    if last then return start + last end
    size = size * 8
  until start == 1
  return 1
end

-- The lowest place where a balanced text begins that does not end in the window; nil if there is none.
local function lowest_unbalanced(window, item)
  local opening, closing = escaped(sub(item.source, 3, 3)), escaped(sub(item.source, 4, 4))
  if opening == closing then return find(window, opening .. "[^" .. opening .. "]*$") end
  local _, unclosed = gsub(gsub(window, item.source, ""), opening, "")
  local backwards, both, level, at = reverse(window), "[" .. opening .. closing .. "]", 0, 0
  while unclosed > 0 do
    at = find(backwards, both, at + 1)
    if find(backwards, "^" .. closing, at) then
      level = level + 1
    elseif level > 0 then
      level = level - 1
    else
      unclosed = unclosed - 1
    end
  end
  return at > 0 and #window - at + 1 or nil
end

-- The lowest place from which the first `count` items of a path, the last one perhaps in part, can take all up to the
-- window's end; nil if there is none. Going back, `far` and `near` enclose where the items behind the one looked at begin.
local function lowest_for(path, count, window)
  local far, near = #window + 1, #window + 1
  for at = count, 1, -1 do
    local item = path[at]
    if item.kind == "one" then
      far = find(window, item.class, max(1, far - 1))
      near = near - 1
      if not far or far > near then return nil end
    elseif item.kind == "balanced" then
      far = lowest_unbalanced(window, item)
      if not far then return nil end
    elseif item.kind == "optional" then
      far = max(1, far - 1)
    else
      far = behind_last(window, item.barrier, far)
    end
  end
  return far
end

local function lowest_open(section, window)
  local lowest = #window + 1
  for count = 1, section.read do lowest = min(lowest, lowest_for(section.path, count, window) or lowest) end
  return lowest
end

-- Returns the window that begins at a place (with the byte before it, which a frontier reads), where it begins, and its
-- lowest open place.
local function window_at(section, text, at, size)
  local start, stop = max(1, at - 1), at + size - 1
  local window = sub(text, start, stop)
  check()
  return window, start, stop >= #text and huge or lowest_open(section, window)
end

-- The matcher --------------------------------------------------------------------------------------------------------

local text, items -- of the match that runs; no guest's code does meanwhile
local starts, ends = {}, {} -- of captures; where a place was captured, its end is false

local match

local function next_in_windows(section, at)
  local size = min(FIRST, section.width)
  while true do
    local window, start, open = window_at(section, text, at, size)
    local first = find(window, section.pattern, at - start + 1)
    if first and first < open then return start + first - 1 end
    if open == huge then return nil end
    if start + open - 1 > at then
      at = start + open - 1
    elseif size == section.width then
      return at
    end
    size = min(size * 4, section.width)
  end
end

local function next_head(section, at)
  local size = FIRST
  while at + section.head_size - 1 <= #text do
    local first = find(sub(text, at, at + size + section.head_size - 2), section.head)
    work(size * 4)
    if first then return at + first - 1 end
    at, size = at + size, min(size * 4, PIECE)
  end
end

-- The next place, from `at` on, where an attempt of the section is worth making.
local function next_start(section, at)
  if at > #text + 1 then return nil end
  if section.windows then return next_in_windows(section, at) end
  if section.head then return next_head(section, at) end
  return at
end

-- The last such place, from `stop` down to `least`; as `next_start`, by the first class of the section's head.
local function last_start(class, least, stop)
  local size = FIRST
  while stop >= least do
    local start = max(least, stop - size + 1)
    local _, last = find(sub(text, start, stop), "^.*" .. class)
    work(size * 4)
    if last then return start + last - 1 end
    stop, size = start - 1, min(size * 4, PIECE)
  end
end

local function behind_run(item, at)
  if item.class == "." then return #text + 1 end
  local size, run = FIRST, "^" .. item.class .. "*"
  while true do
    local piece = sub(text, at, at + size - 1)
    local _, last = find(piece, run)
    work(size * 4)
    at = at + last
    if last < #piece or at > #text then return at end
    size = min(size * 4, PIECE)
  end
end

local step = {}

function step.greedy(item, at, index, depth)
  local stop, least = behind_run(item, at), at + item.least
  if stop < least then return nil end
  if item.calm or item.certain_after then return match(stop, index + 1, depth) end
  local following = items[index + 1]
  local class = following.kind == "one" and following.class
  while stop >= least do
    if class then
      stop = last_start(class, least, stop)
      if not stop then return nil end
    end
    local found = match(stop, index + 1, depth)
    if found then return found end
    stop = stop - 1
  end
end

-- A lazy "." goes to where the rest matches.
local function lazy_any(at, index, depth)
  local rest = section_of(items, index)
  at = next_start(rest, at)
  while at do
    local found = match(at, index, depth)
    if found then return found end
    at = next_start(rest, at + 1)
  end
end

function step.lazy(item, at, index, depth)
  if item.certain_after then return match(at, index + 1, depth) end
  if item.calm then return match(behind_run(item, at), index + 1, depth) end
  if item.class == "." then return lazy_any(at, index + 1, depth) end
  local one = "^" .. item.class
  while true do
    local found = match(at, index + 1, depth)
    if found then return found end
    if not find(text, one, at) then return nil end
    at = at + 1
  end
end

function step.optional(item, at, index, depth)
  local found = find(text, "^" .. item.class, at) and match(at + 1, index + 1, depth)
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

function once.one(item, at) return find(text, "^" .. item.class, at) and at + 1 end

function once.frontier(item, at) return find(text, "^" .. item.source, at) and at end

once["end"] = function(_, at) return at == #text + 1 and at end

-- Where a balanced text that goes on at `at`, `depth` levels deep, ends: counts piece by piece.
local function balanced_end(opening, closing, at, depth)
  local both = "[" .. opening .. closing .. "]"
  while at <= #text do
    local piece = sub(text, at, at + PIECE - 1)
    local _, opened = gsub(piece, opening, "")
    local _, closed = gsub(piece, closing, "")
    work(PIECE * 4)
    if closed >= depth then
      local level, place = depth, find(piece, both)
      while place do
        level = level + (find(piece, "^" .. closing, place) and -1 or 1)
        if level == 0 then return at + place end
        place = find(piece, both, place + 1)
      end
    end
    at, depth = at + #piece, depth + (opening ~= closing and opened or 0) - closed
  end
end

function once.balanced(item, at)
  local opening, size = sub(item.source, 3, 3), FIRST
  if sub(text, at, at) ~= opening then return nil end
  repeat
    local _, last = find(sub(text, at, at + size - 1), "^" .. item.source)
    work(size * 4)
    if last then return at + last end
    if at + size > #text then return nil end
    size = size * 8
  until size > PIECE
  return balanced_end(escaped(opening), escaped(sub(item.source, 4, 4)), at + 1, 1)
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
local function attempt(subject, found_items, at)
  text, items = subject, found_items
  local stop = match(at, 1, 0)
  if stop then return at, stop - 1, captures() end
end

local function search(subject, found_items, at)
  if found_items.anchored then return attempt(subject, found_items, at) end
  local section = section_of(found_items, 1)
  text, items = subject, found_items
  at = next_start(section, at)
  while at do
    local first, last, found = attempt(subject, found_items, at)
    if first then return first, last, found end
    at = next_start(section, at + 1)
  end
end

-- All matches --------------------------------------------------------------------------------------------------------

-- Like C, an empty match is none right behind the match before.
local function each(subject, found_items, at)
  local last_stop
  return function()
    while at <= #subject + 1 do
      local first, last, found = search(subject, found_items, at)
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

local function whole_or_captures(subject, first, last, found)
  if not first then return nil end
  if found.n == 0 then return sub(subject, first, last) end
  return unpack(found, 1, found.n)
end

-- Goes through one window after the other with C's own gmatch; each match says where it begins, then what it gives.
local function gmatch_in_windows(subject, found_items, at, section)
  local pattern = "()" .. (found_items.captures == 0 and "(" .. found_items.pattern .. ")" or found_items.pattern)
  local window, start, open, iterate, last
  local behind -- the match before

  local enter

  local function given(first, ...)
    if first and first < open then
      last = first
      return ...
    end
    if open == huge then
      at = #subject + 2
      return nil
    end
    if last then
      local _, stop = find(window, section.pattern, last)
      behind = start + stop
    end
    at = max(start + open - 1, behind or 1)
    return enter()
  end

  function enter()
    last, iterate = nil, nil
    while at <= #subject + 1 do
      window, start, open = window_at(section, subject, at, section.width)
      local from = at - start + 1
      if open > from then
        iterate = gmatch(window, pattern, from)
        local first, stop = find(window, section.pattern, from)
        if first == from and stop < first and behind == at then iterate() end
        return given(iterate())
      end
      local first, stop, found = attempt(subject, found_items, at)
      if first and stop + 1 ~= behind then
        at, behind = stop + 1, stop + 1
        return whole_or_captures(subject, first, stop, found)
      end
      at = at + 1
    end
  end

  return function()
    if iterate and at <= #subject + 1 then return given(iterate()) end
    return enter()
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
local function grows(subject, replacement)
  return type(replacement) == "string" and type(subject) == "string"
    and (#subject + 1.0) * #replacement > MOST_STEPS
end

local function replace_each(subject, found_items, replacement, most)
  local pieces, at, count, size = {}, 1, 0, #subject
  local following = each(subject, found_items, 1)
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

-- Returns a piece of the text in which each attempt is decided; nil where there is none.
local function closed_piece(section, subject, at)
  local piece = sub(subject, at, at + section.width - 1)
  if at + #piece > #subject then return piece end
  for _ = 1, 8 do
    local open = lowest_open(section, piece)
    if open > #piece then return piece end
    piece = sub(piece, 1, open - 1)
  end
end

-- Replaces one closed piece after the other in C.
local function replace_in_windows(subject, found_items, replacement, most, section, in_c)
  local pieces, at, count, size = {}, 1, 0, 0
  while at <= #subject and count < most do
    check()
    local piece, new, added = closed_piece(section, subject, at), nil, nil
    if piece and piece ~= "" then
      new, added = in_c(piece, found_items.pattern, replacement, most - count)
      at, count = at + #piece, count + added
    else
      local first, last, found = search(subject, found_items, at)
      if not first then break end
      new = sub(subject, at, first - 1) .. replaced(replacement, sub(subject, first, last), found)
      at, count = last + 1, count + 1
    end
    size = size + #new
    if size > MOST_REPLACED then fail("string.gsub: the result would be larger than 64 MiB") end
    pieces[#pieces + 1] = new
  end
  pieces[#pieces + 1] = sub(subject, at)
  return kernel.tables.concat(pieces), count
end

-- Public -------------------------------------------------------------------------------------------------------------

local matching = { is_short = is_short, is_cheap = is_cheap, items_of = items_of, search = search, FIRST = FIRST }

-- Takes what C's find gave for the first bytes from `at` on, for a quick pattern. If that does not decide it, finds in
-- another way.
function matching.settle(subject, found_items, at, otherwise, first, last, ...)
  if first and last < FIRST then return first + at - 1, last + at - 1, ... end
  if not first and found_items.first and not find(subject, found_items.first, at) then return nil end
  return otherwise(subject, found_items, at)
end

function matching.gmatch(subject, found_items, at)
  local section = section_of(found_items, 1)
  if section.windows and not found_items.places and found_items.captures < MOST_CAPTURES then
    return gmatch_in_windows(subject, found_items, at, section)
  end
  local following = each(subject, found_items, at)
  return function() return whole_or_captures(subject, following()) end
end

-- `in_c` is C's gsub; an empty match, a frontier and a captured place know more of the text than a piece shows.
function matching.gsub(subject, found_items, replacement, most, in_c)
  local section = section_of(found_items, 1)
  local whole = found_items.anchored or found_items.nullable or found_items.frontiers or found_items.places
  if whole or not section.windows or type(replacement) == "string" and #replacement > MOST_STEPS // PIECE then
    return replace_each(subject, found_items, replacement, most)
  end
  return replace_in_windows(subject, found_items, replacement, most, section, in_c)
end

matching.grows = grows

-- Finds plain text piece by piece: C needs up to the product of both lengths.
function matching.find_plain(subject, wanted, at)
  if #wanted <= 64 and #subject - at < MOST_STEPS then
    local first, last = find(subject, wanted, at, true)
    work((last or #subject) - at)
    if not first then return nil end
    return first, last
  end
  local most, width = max(1, min(PIECE * 16, MOST_STEPS * 8 // max(1, #wanted))), FIRST
  while at + #wanted - 1 <= #subject do
    width = min(width, most)
    local first = find(sub(subject, at, at + width + #wanted - 2), wanted, 1, true)
    work(width + #wanted)
    if first then return at + first - 1, at + first + #wanted - 2 end
    at, width = at + width, width * 8
  end
  return nil
end

kernel.matching = matching
