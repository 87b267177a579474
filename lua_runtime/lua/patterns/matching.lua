-- The matcher: patterns in Lua, where the count hook fires, by C's own rules. It matches what no window decides, in steps that
-- C does quickly: to the end of a run, to the next place where the rest can begin.
local kernel = ...
local find, gsub, max, min, huge = string.find, string.gsub, math.max, math.min, math.huge
local sub = string.sub
local work, patterns, windows, limits = kernel.work, kernel.patterns, kernel.windows, kernel.pattern_limits
local fail, escaped = patterns.fail, patterns.escaped
local section_of, window_at = windows.section_of, windows.window_at
local MOST_STEPS, FIRST, PIECE = limits.MOST_STEPS, limits.FIRST, limits.PIECE

local MOST_DEPTH = 199 -- as in C

local text, items -- of the match that runs; no guest's code does meanwhile
local starts, ends = {}, {} -- of captures; where a place was captured, its end is false

local match

-- Attempts below the first match that C finds in a window fail, and so do all if there is none, as far as they are decided. An
-- open attempt with which the widest window begins is made here.
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

-- Where no window decides, C still says where the section's first bytes are.
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

-- The last byte of a class from `stop` down to `least`: where a greedy run may end, if that class follows.
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

-- Where the longest run of an item's class ends, exclusive.
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

-- Each tries the ways in which an item may match, with all that follows, in C's order; returns where the match ends.
local step = {}

function step.greedy(item, at, index, depth)
  local stop, least = behind_run(item, at), at + item.least
  if stop < least then return nil end
  if item.certain_after then return match(stop, index + 1, depth) end
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
  if found then return found end
  return match(at, index + 1, depth - 1) -- in C no level deeper
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

-- Finds plain text piece by piece: C needs up to the product of both lengths.
local function find_plain(subject, wanted, at)
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

kernel.matching = { attempt = attempt, search = search, find_plain = find_plain }
