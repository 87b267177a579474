-- All matches of a pattern, one after the other: gmatch and gsub, in C window by window, else with the matcher.
local kernel = ...
local find, gmatch, sub, type, tonumber = string.find, string.gmatch, string.sub, type, tonumber
local concat, unpack, max, huge = table.concat, table.unpack, math.max, math.huge
local work, check, limits = kernel.work, kernel.check, kernel.pattern_limits
local patterns, windows, matching = kernel.patterns, kernel.windows, kernel.matching
local fail, attempt, search = patterns.fail, matching.attempt, matching.search
local section_of, window_at, closed_piece = windows.section_of, windows.window_at, windows.closed_piece
local MOST_STEPS, PIECE, MOST_CAPTURES = limits.MOST_STEPS, limits.PIECE, patterns.MOST_CAPTURES

local MOST_REPLACED = 64 * 1024 * 1024 -- bytes that one gsub under a deadline may give

-- Returns an iterator over the places and captures of all matches. Like C, an empty match is none right behind the match before.
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

-- The pattern for C, with a capture in front that says where a match begins, and one of all of it where it has none.
local function marked(found_items)
  local pattern = found_items.pattern
  if found_items.captures > 0 then return "()" .. pattern end
  if found_items[#found_items].kind == "end" then return "()(" .. sub(pattern, 1, -2) .. ")$" end
  return "()(" .. pattern .. ")"
end

-- Goes through one window after the other with C's own gmatch, up to its lowest open attempt; each match says where it begins,
-- then what it gives. C does not know the match before the window, behind which an empty one does not count: such a first
-- match is passed over.
local function gmatch_in_windows(subject, found_items, at, section)
  local pattern = marked(found_items)
  local window, start, open, iterate, last
  local behind -- the end of the match before, exclusive

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
      fail("invalid capture index %" .. number)
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

-- Replaces one closed piece after the other in C. No attempt in one reads what is behind it, and no match is empty: so what C
-- replaces in the pieces, it would replace in the whole.
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

-- Places that C captures count from the window's beginning, and one capture is needed to say where a match begins; around
-- nothing, parentheses would capture a place.
local function gmatch_any(subject, found_items, at)
  local section = section_of(found_items, 1)
  local fits = not found_items.places and found_items.captures < MOST_CAPTURES and #section.path > 0
  if section.windows and fits then
    return gmatch_in_windows(subject, found_items, at, section)
  end
  local following = each(subject, found_items, at)
  return function() return whole_or_captures(subject, following()) end
end

-- `in_c` is C's gsub. An anchor, an empty match, a frontier and a captured place know more of the text than a piece shows.
local function gsub_any(subject, found_items, replacement, most, in_c)
  local section = section_of(found_items, 1)
  local whole = found_items.anchored or found_items.nullable or found_items.frontiers or found_items.places
  if whole or not section.windows or type(replacement) == "string" and #replacement > MOST_STEPS // PIECE then
    return replace_each(subject, found_items, replacement, most)
  end
  return replace_in_windows(subject, found_items, replacement, most, section, in_c)
end

kernel.replacing = { gmatch = gmatch_any, gsub = gsub_any }
