-- The library `table` as guests see it. A list with a metatable is handled here and not in C: its length is read once,
-- so that it cannot lie to one of two readers, and the count hook fires. So it is with every list under a deadline.
local kernel = ...
local error, next, rawequal, select, tonumber, type = error, next, rawequal, select, tonumber, type
local getmetatable, tointeger, maxinteger, min = debug.getmetatable, math.tointeger, math.maxinteger, math.min
local is_armed, work = kernel.is_armed, kernel.work
local real_insert, real_remove, real_sort, real_move = table.insert, table.remove, table.sort, table.move
local real_unpack = table.unpack
local real_concat = kernel.limit_nesting("table.concat", table.concat)

local MOST_MOVED = 10 * 1000 * 1000 -- elements that one library call goes through
local MOST_JOINED = 64 * 1024 * 1024 -- bytes of one table.concat under a deadline
local AT_ONCE = 65536 -- elements between two looks at the clock
local ELEMENT = 16 -- bytes of an element

local tables = { pack = table.pack }

local function is_plain(list) return type(list) ~= "table" or not (getmetatable(list) or is_armed()) end

local function length_of(list, name)
  local length = #list
  if not tointeger(length) then error("object length is not an integer", 3) end
  if length > MOST_MOVED then error("table." .. name .. ": the list has more than 10 million elements", 3) end
  return tointeger(length)
end

-- C takes "3" and 3.0 for the integer 3.
local function index(value, default)
  if value == nil then return default end
  return tointeger(tonumber(value))
end

local function move_up(from, first, last, to, target)
  for at = first, last, AT_ONCE do
    local piece_end = min(at + AT_ONCE - 1, last)
    real_move(from, at, piece_end, to + (at - first), target)
    work((piece_end - at + 1) * ELEMENT)
  end
end

-- From the end, for a target that overlaps with what is still to be moved.
local function move_down(from, first, last, to, target)
  for piece_end = last, first, -AT_ONCE do
    local at = piece_end - min(AT_ONCE - 1, piece_end - first)
    real_move(from, at, piece_end, to + (at - first), target)
    work((piece_end - at + 1) * ELEMENT)
  end
end

local function move(from, first, last, to, target)
  if to > first and to <= last and rawequal(from, target) then return move_down(from, first, last, to, target) end
  return move_up(from, first, last, to, target)
end

function tables.move(from, first, last, to, target)
  local start, stop, goal = index(first), index(last), index(to)
  target = target or from
  if start and stop and stop - (start + 0.0) > MOST_MOVED then error("table.move: more than 10 million elements", 2) end
  local fits = goal and start and stop and stop >= start and goal <= maxinteger - (stop - start)
  if not fits or type(from) ~= "table" or type(target) ~= "table" then return real_move(from, first, last, to, target) end
  move(from, start, stop, goal, target)
  return target
end

function tables.insert(list, ...)
  local count = select("#", ...)
  if is_plain(list) or count < 1 or count > 2 then return real_insert(list, ...) end
  local length = length_of(list, "insert")
  if count == 1 then
    list[length + 1] = ...
    return
  end
  local position, value = ...
  local at = index(position)
  if not at or at < 1 or at > length + 1 then error("bad argument #2 to 'insert' (position out of bounds)", 2) end
  if at <= length then move(list, at, length, at + 1, list) end
  list[at] = value
end

function tables.remove(list, ...)
  if is_plain(list) then return real_remove(list, ...) end
  local length = length_of(list, "remove")
  local at = index((...), length)
  if not at or at ~= length and (at < 1 or at > length + 1) then
    error("bad argument #2 to 'remove' (position out of bounds)", 2)
  end
  local removed = list[at]
  if at < length then move(list, at + 1, length, at, list) end
  list[at < length and length or at] = nil
  return removed
end

-- Returns the bytes of a range, and the range itself where C must not read it.
local function gather(list, first, last, separator)
  local copy, size = getmetatable(list) and {}, 0
  for at = first, last do
    local item = list[at]
    local kind = type(item)
    if kind ~= "string" and kind ~= "number" then
      error("invalid value (" .. kind .. ") at index " .. at .. " in table for 'concat'", 3)
    end
    size = size + (kind == "string" and #item or ELEMENT) + #separator
    if size > MOST_JOINED then error("table.concat: the result would be larger than 64 MiB", 3) end
    if copy then copy[at - first + 1] = item end
  end
  return size, copy
end

function tables.concat(list, separator, from, to)
  local kind = type(separator)
  if is_plain(list) or (kind ~= "nil" and kind ~= "string" and kind ~= "number") then
    return real_concat(list, separator, from, to)
  end
  separator = separator == nil and "" or separator .. ""
  local first, last = index(from, 1), to == nil and length_of(list, "concat") or index(to)
  if not first or not last then return real_concat({}, separator, from, to) end -- which says what is wrong
  if last - (first + 0.0) > MOST_MOVED then error("table.concat: more than 10 million elements", 2) end
  local size, copy = gather(list, first, last, separator)
  if copy then list, first, last = copy, 1, last - first + 1 end
  work(size)
  local pieces = {}
  for at = first, last, AT_ONCE do
    pieces[#pieces + 1] = real_concat(list, separator, at, at + min(AT_ONCE - 1, last - at))
    work(AT_ONCE)
  end
  return real_concat(pieces, separator)
end

local function is_less(left, right)
  if type(left) == "string" then work(#left) end
  return left < right
end

-- C compares short lists of short strings by itself; otherwise each comparison passes through Lua, where hooks fire.
local function order_for(list, length, order)
  if order then return function(left, right) return order(left, right) end end
  local size = length * ELEMENT
  for at = 1, length do
    local item = list[at]
    if type(item) == "string" then size = size + #item end
  end
  work(size)
  return size > AT_ONCE and is_less or nil
end

function tables.sort(list, order)
  if is_plain(list) or order ~= nil and type(order) ~= "function" then return real_sort(list, order) end
  local length = length_of(list, "sort")
  local sorted = list
  if getmetatable(list) then
    sorted = {}
    move_up(list, 1, length, 1, sorted)
  end
  real_sort(sorted, order_for(sorted, length, order))
  if sorted ~= list then move_up(sorted, 1, length, 1, list) end
end

function tables.unpack(list, from, to)
  if type(list) == "table" and is_armed() then
    local first, last = index(from, 1), index(to)
    if to == nil then last = length_of(list, "unpack") to = last end
    if first and last and last >= first then work((last - first + 1.0) * ELEMENT) end
  end
  return real_unpack(list, from, to)
end

function tables.maxn(list)
  local most = 0
  for key in next, list do
    if type(key) == "number" and key > most then most = key end
  end
  return most
end

kernel.tables = tables
