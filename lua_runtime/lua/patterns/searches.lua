-- The functions of `string` that search: find, match, gmatch and gsub as guests see them. Without a deadline they are C's own,
-- and so they are under one where the text is short or the pattern's worst case small. The code for all else is loaded when
-- it is first needed: it would make each new state a quarter dearer.
local kernel, patterns_code, windows_code, matching_code, replacing_code = ...
local ipairs, load, select, tonumber, tostring, type = ipairs, load, select, tonumber, tostring, type
local math_type, tointeger, setmetatable, unpack = math.type, math.tointeger, setmetatable, table.unpack
local getmetatable = debug.getmetatable
local parts, error_text, state, work = kernel.error_parts, kernel.error_text, kernel.state, kernel.work
local strings, real = kernel.strings, string
local real_find, real_match, real_gmatch, real_gsub, real_sub = real.find, real.match, real.gmatch, real.gsub, real.sub

local MOST_STEPS = 4 * 1000 * 1000 -- of C's matcher in one go: some 20 ms
local FEW_STEPS = MOST_STEPS // 16 -- so few that the pattern need not be looked at
local FIRST, PIECE = 256, 64 * 1024 -- bytes of text that C goes through at once, at first and at most
local LEAST_WINDOW = 128 -- a pattern whose windows must be shorter has none
local MOST_PATTERN = 16 * 1024 -- bytes
local MOST_REMEMBERED = 100 -- patterns

kernel.pattern_limits = {
  MOST_STEPS = MOST_STEPS, FIRST = FIRST, PIECE = PIECE, LEAST_WINDOW = LEAST_WINDOW, MOST_PATTERN = MOST_PATTERN,
}

-- C takes the digits of a number for a text, and so does all here; a text to be searched may be an error object.
local function as_text(value)
  if type(value) == "number" then return tostring(value) end
  return parts[value] and error_text(value) or value
end

local function as_pattern(value) return type(value) == "number" and tostring(value) or value end

local patterns, matching, replacing

local function load_all()
  for _, code in ipairs({ patterns_code, windows_code, matching_code, replacing_code }) do load(code)(kernel) end
  patterns, matching, replacing = kernel.patterns, kernel.matching, kernel.replacing
end

local longest, longest_count = {}, 0 -- the longest such texts, by pattern

-- Whether C searches the text in few steps, whatever the pattern means: the worst case of one with as many repetitions.
local function is_short(subject, pattern)
  local length = longest[pattern]
  if not length then
    if type(pattern) ~= "string" or #pattern > MOST_PATTERN then return false end
    local _, loops = real_gsub(real_gsub(pattern, "%%[b%d]", "*"), "[*+%-?]", "")
    length = FEW_STEPS ^ (1 / (loops + 1)) / (1 + #pattern // 16) - 1
    if longest_count == MOST_REMEMBERED then longest, longest_count = {}, 0 end
    longest[pattern], longest_count = length, longest_count + 1
  end
  if type(subject) ~= "string" or #subject > length then return false end
  work(FEW_STEPS // 4)
  return true
end

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
  if not at then return nil end
  if not patterns then load_all() end
  return patterns.items_of(pattern, literal), at
end

local function found(first, last, captured)
  if not first then return nil end
  return first, last, unpack(captured, 1, captured.n)
end

local function find_any(text, items, at)
  if patterns.is_cheap(items, #text - at + 1) then return real_find(text, items.pattern, at) end
  return found(matching.search(text, items, at))
end

-- Takes what C found in the first bytes, for a quick pattern, unless that does not decide it.
local function settled(text, items, at, first, last, ...)
  if first and last < FIRST then return first + at - 1, last + at - 1, ... end
  if not first and items.first and not real_find(text, items.first, at) then return nil end
  return find_any(text, items, at)
end

local function find_quick(text, items, at)
  return settled(text, items, at, real_find(real_sub(text, at, at + FIRST - 1), items.pattern))
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
  if not matching then load_all() end
  return matching.find_plain(text, wanted, at)
end

function strings.find(text, pattern, init, plain)
  if type(text) ~= "string" then text = as_text(text) end
  if not state.armed then return real_find(text, pattern, init, plain) end
  if type(pattern) ~= "string" then pattern = as_pattern(pattern) end
  local items = not plain and quick[pattern]
  if items and math_type(init) == "integer" and type(text) == "string" and init > 0 and init <= #text then
    return find_quick(text, items, init)
  end
  if is_short(text, pattern) then return real_find(text, pattern, init, plain) end
  local short = type(pattern) == "string" and #pattern <= MOST_PATTERN -- a longer one is refused
  if plain or short and not real_find(pattern, "[%^%$%*%+%?%.%(%)%[%%%-]") then
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
  if type(text) ~= "string" then text = as_text(text) end
  if not state.armed then return real_match(text, pattern, init) end
  if type(pattern) ~= "string" then pattern = as_pattern(pattern) end
  if is_short(text, pattern) or type(text) ~= "string" then return real_match(text, pattern, init) end
  return matched(text, find_guarded(text, pattern, init))
end

function strings.gmatch(text, pattern, init)
  if type(text) ~= "string" then text = as_text(text) end
  if not state.armed then return real_gmatch(text, pattern, init) end
  if type(pattern) ~= "string" then pattern = as_pattern(pattern) end
  if is_short(text, pattern) then return real_gmatch(text, pattern, init) end
  local items, at = plan(text, pattern, init, true)
  if not items or patterns.is_cheap(items, #text - at + 1) then return real_gmatch(text, pattern, init) end
  return replacing.gmatch(text, items, at)
end

-- Whether C's gsub could write much more than it reads.
local function could_grow(subject, replacement)
  return type(replacement) == "string" and type(subject) == "string"
    and (#subject + 1.0) * #replacement > MOST_STEPS
end

local calling_gsub = kernel.limit_nesting("string.gsub", real_gsub)
local REPLACES = { string = kernel.with_room(real_gsub), ["function"] = calling_gsub, table = calling_gsub }

function strings.gsub(text, pattern, replacement, most)
  if type(text) ~= "string" then text = as_text(text) end
  if type(replacement) == "number" then replacement = tostring(replacement) end
  local kind = type(replacement)
  if kind == "table" and not getmetatable(replacement) then kind = "string" end -- it runs no code either
  local in_c, items, limit, grows = REPLACES[kind] or real_gsub, nil, nil, false
  if type(pattern) ~= "string" then pattern = as_pattern(pattern) end
  if state.armed then
    limit, grows = most == nil and 1 << 62 or tointeger(tonumber(most)), could_grow(text, replacement)
    if limit and (grows or not is_short(text, pattern)) then items = plan(text, pattern, 1, false) end
  end
  if items and (grows or not patterns.is_cheap(items, #text)) then
    return replacing.gsub(text, items, replacement, limit, in_c)
  end
  local changed, count = in_c(text, pattern, replacement, most) -- no tail call, for the sake of messages
  return changed, count
end
