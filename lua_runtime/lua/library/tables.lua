-- The library `table` as guests see it. A list with a metatable is handled here and not in C: its length is read once,
-- so that it cannot lie to one of two readers, and the count hook fires. So it is with every list under a deadline.
local kernel = ...
local error, next, rawequal, select, tonumber, type = error, next, rawequal, select, tonumber, type
local getmetatable, tointeger, maxinteger, min = debug.getmetatable, math.tointeger, math.maxinteger, math.min
local getinfo = debug.getinfo
local state, work, check = kernel.state, kernel.work, kernel.check
local real_insert, real_remove, real_sort, real_move = table.insert, table.remove, table.sort, table.move
local real_unpack = table.unpack
local real_concat = kernel.with_room(table.concat) -- of lists whose elements run no code

local MOST_MOVED = 10 * 1000 * 1000 -- elements that one library call goes through
local MOST_JOINED = 64 * 1024 * 1024 -- bytes of one table.concat under a deadline
local AT_ONCE = 65536 -- elements between two looks at the clock
local MOST_SORTED = 1024 * 1024 -- bytes of elements that C sorts in one go: some 20 ms
local ELEMENT = 16 -- bytes of an element

local tables = { pack = table.pack }

local function is_plain(list) return type(list) ~= "table" or not (getmetatable(list) or state.armed) end

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
  if not at then return real_insert(list, position, value) end -- which says what is wrong
  if at < 1 or at > length + 1 then error("bad argument #2 to 'insert' (position out of bounds)", 2) end
  if at <= length then move(list, at, length, at + 1, list) end
  list[at] = value
end

function tables.remove(list, ...)
  if is_plain(list) then return real_remove(list, ...) end
  local length = length_of(list, "remove")
  local at = index((...), length)
  if not at then return real_remove(list, ...) end
  if at ~= length and (at < 1 or at > length + 1) then
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
  if is_plain(list) then return real_concat(list, separator, from, to) end
  if kind ~= "nil" and kind ~= "string" and kind ~= "number" then return real_concat({}, separator) end
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

local function is_less(left, right) return left < right end

-- Orders two sorted ranges that follow each other; `spare` is a table to be used for a copy of the first.
local function merge(list, first, middle, last, spare)
  local mine, other = list[middle - 1], list[middle]
  if not (other < mine) then return end -- as in lists that were in order before
  local at, at_end, from, to = 1, middle - first, middle, first
  move_up(list, first, middle - 1, 1, spare)
  mine = spare[1]
  while true do
    if other < mine then
      list[to], from = other, from + 1
      if from > last then return move_up(spare, at, at_end, to + 1, list) end
      other = list[from]
    else
      list[to], at = mine, at + 1
      if at > at_end then return end
      mine = spare[at]
    end
    to = to + 1
  end
end

-- Where the pieces begin that C sorts in one go, and behind the last of them the end of the list; nil unless all
-- elements are numbers, or all are strings: then no comparison runs a guest's code or fails, and the list stays whole.
local function pieces_of(list, length)
  local kind, starts, size = type(list[1]), { 1 }, 0
  if kind ~= "number" and kind ~= "string" then return nil end
  for at = 1, length do
    local item = list[at]
    if type(item) ~= kind then return nil end
    size = size + (kind == "string" and #item + ELEMENT or ELEMENT)
    if size > MOST_SORTED then
      starts[#starts + 1], size = at + 1, 0
    end
  end
  if starts[#starts] <= length then starts[#starts + 1] = length + 1 end
  return starts
end

-- C sorts pieces, and what is long is done here, where hooks fire: the pieces are merged, two by two.
local function sort_long(list, length)
  local starts, spare = pieces_of(list, length), {}
  if not starts then return real_sort(list, is_less) end -- there may be long strings among other things
  for at = 1, #starts - 1 do
    local first, behind = starts[at], starts[at + 1]
    local piece = #starts == 2 and list or real_move(list, first, behind - 1, 1, {})
    real_sort(piece)
    if piece ~= list then real_move(piece, 1, behind - first, first, list) end
    check()
  end
  while #starts > 2 do
    local merged = {}
    for at = 1, #starts - 1, 2 do
      merged[#merged + 1] = starts[at]
      if starts[at + 2] then merge(list, starts[at], starts[at + 1], starts[at + 2] - 1, spare) end
    end
    merged[#merged + 1] = starts[#starts]
    starts = merged
  end
end

-- A comparator in Lua is interrupted while C sorts; one in C gets a Lua function around it.
local function interruptible(order)
  if getinfo(order, "S").what ~= "C" then return order end
  return function(left, right) return order(left, right) end
end

function tables.sort(list, order)
  if is_plain(list) or order ~= nil and type(order) ~= "function" then return real_sort(list, order) end
  local length = length_of(list, "sort")
  local sorted = list
  if getmetatable(list) then
    sorted = {}
    move_up(list, 1, length, 1, sorted)
  end
  if order then real_sort(sorted, interruptible(order)) else sort_long(sorted, length) end
  if sorted ~= list then move_up(sorted, 1, length, 1, list) end
end

function tables.unpack(list, from, to)
  if type(list) == "table" and state.armed then
    local first, last = index(from, 1), index(to)
    if to == nil then last = length_of(list, "unpack") to = last end
    if first and last and last >= first then work((last - first + 1.0) * ELEMENT) end
  end
  return real_unpack(list, from, to)
end

kernel.tables = tables
