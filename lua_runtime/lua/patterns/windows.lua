-- Windows: what a piece of the text decides about the whole.
--
-- A window is a piece of the text that C searches as if it were all. An attempt is a place where the pattern may begin to
-- match. What C says of an attempt in a window is true for the whole text if the attempt never reads the window's end: then it
-- reads the same bytes and finds no end in either. An attempt reads the window's end only if some of its first items, one
-- after the other, take all that there is up to it. So the pattern's items, from each that may be the last of these, are
-- followed back from the window's end; the lowest place so found is the lowest `open` attempt. All that begin below it are
-- decided, and the next window begins there.
local kernel = ...
local find, gsub, reverse, sub = string.find, string.gsub, string.reverse, string.sub
local concat, max, min, huge = table.concat, math.max, math.min, math.huge
local check, patterns, limits = kernel.check, kernel.patterns, kernel.pattern_limits
local escaped, search_power = patterns.escaped, patterns.search_power
local REPEATS, IS_CAPTURE = patterns.REPEATS, patterns.IS_CAPTURE
local MOST_STEPS, PIECE, LEAST_WINDOW = limits.MOST_STEPS, limits.PIECE, limits.LEAST_WINDOW

-- Sections: a pattern from one of its items on, for C -----------------------------------------------------------------

-- Returns the items of a section that take text; `read`, how many of them at most take all up to the window's end before that
-- end is read (by the next item, by a run that would go on, by `$` or a frontier; nothing reads it behind a last `one` or
-- lazy run); and whether there can be windows at all. There are none for what says nothing of where it ends: back references,
-- runs without a barrier, and what comes behind a balanced text.
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

-- Makes or remembers a section: its text for C, what it begins with, its path, and how wide its windows may be.
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

-- The lowest place where a balanced text begins that does not end in the window; nil if there is none. C counts those left
-- when all balanced ones are taken out; then it is the last of as many, looked for from the end.
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
-- window's end; nil if there is none. Going back item by item, what follows begins between `far` and `near`; places between
-- them where it cannot begin only make the answer lower, which is safe.
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

-- Returns the window for attempts from a place on (with the byte before it, which a frontier reads), where it begins, and its
-- lowest open attempt, `huge` if the window goes to the text's end, which is no end of the window's own.
local function window_at(section, text, at, size)
  local start, stop = max(1, at - 1), at + size - 1
  local window = sub(text, start, stop)
  check()
  return window, start, stop >= #text and huge or lowest_open(section, window)
end

-- Returns a piece of the text without open attempts; nil where there is none. Each cut makes a new end, which may leave
-- others open: mostly the first or second cut leaves none.
local function closed_piece(section, text, at)
  local piece = sub(text, at, at + section.width - 1)
  if at + #piece > #text then return piece end
  for _ = 1, 8 do
    local open = lowest_open(section, piece)
    if open > #piece then return piece end
    piece = sub(piece, 1, open - 1)
  end
end

kernel.windows = { section_of = section_of, window_at = window_at, closed_piece = closed_piece }
