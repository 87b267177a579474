-- Values cross as flat runs of scalars: a table is a mark, its count, and its items (or its keys and items). Lupa then
-- never makes a proxy of a table, which would be slow, and would allocate where Lua cannot report that memory ran out.
local kernel, collect, more = ...
local OUT_LIST, OUT_RECORD, OUT_RESOURCE = kernel.OUT_LIST, kernel.OUT_RECORD, kernel.OUT_RESOURCE
local error, next, type, rawlen, rawget = error, next, type, rawlen, rawget
local select, unpack, utf8_len, min = select, table.unpack, utf8.len, math.min
local pcall, sub, getmetatable, setmetatable = pcall, string.sub, debug.getmetatable, setmetatable
local rawequal, null, parts = rawequal, kernel.null, kernel.error_parts
local MEMORY, EMPTY_RECORD = kernel.MEMORY, kernel.EMPTY_RECORD
local is_object, resource, resource_held = kernel.is_object, kernel.resource, kernel.resource_held
local shape_of = kernel.shape_of

local MOST_NESTING = 128 -- as in interop.values
-- What one run may hold: its text (a string that stands there twice is copied twice), and for each value and key what
-- it costs as an object of the host's. As in `interop.budget`.
local MOST_BYTES, VALUE_BYTES = 128 * 1024 * 1024, 128
local MOST_STRING, MOST_KEY = 64 * 1024 * 1024, 64 * 1024
local SHOWN_KEY = 100 -- bytes of a key in a path
local ERROR_BYTES = 1024 * 1024 -- of what an error carries, for the host may have to keep it
local AT_ONCE = 8000 -- values in one crossing, as in values.py; behind so many there may be more
local MOST_ARGUMENTS = 128 -- Lupa copies the arguments once for each argument
local IN_LIST, IN_RECORD, IN_RESOURCE = {}, {}, {}
local UNFIT = {}
local IS_SCALAR = { ["nil"] = true, boolean = true, number = true, string = true }

-- Guest to host ------------------------------------------------------------------------------------------------------

local out, count, room, most -- the run being written, and how many bytes it may still get, and in all
local trail = {} -- the keys from the top to the table being written
local unfit -- what stood in the way: path, expected, got
local resources_pass = false -- whether they may stand there: in the arguments and the result of a call
local nones_pass = false -- whether holes may stand in lists: what they are for is known where they arrive, by its type

local function path_of(base, depth)
  for at = 1, depth do
    local key = trail[at]
    if type(key) == "number" then
      base = base .. "[" .. key - 1 .. "]"
    else
      base = base .. "." .. (#key > SHOWN_KEY and sub(key, 1, SHOWN_KEY) .. "..." or key)
    end
  end
  return base
end

local function refuse(depth, expected, got)
  unfit = { depth, expected, got }
  error(UNFIT, 0)
end

local function article(value)
  if parts[value] then return "an error object (return it as the second value)" end
  if is_object[value] then return "a " .. is_object[value] .. " object" end
  return "a " .. type(value)
end

local function make_room(bytes, depth)
  room = room - bytes - VALUE_BYTES
  if room < 0 then refuse(depth, "at most " .. most .. " bytes in all, each value counting " .. VALUE_BYTES, "more") end
end

local function bounded(text, longest, what, depth)
  if #text > longest then refuse(depth, what .. " of at most " .. longest .. " bytes", "one of " .. #text) end
  return #text
end

local write_table

local function write(value, depth)
  local kind = type(value)
  if kind == "table" then return write_table(value, depth) end
  if kind == "string" then
    room = room - bounded(value, MOST_STRING, "text", depth)
  elseif not IS_SCALAR[kind] then
    refuse(depth, "a plain value", article(value))
  end
  room = room - VALUE_BYTES
  if room < 0 then make_room(0, depth) end
  count = count + 1
  out[count] = value
end

local function write_none(depth)
  make_room(0, depth)
  count = count + 1 -- nil is in a run what it is in a table
end

local function write_list(list, length, depth, holes_pass)
  count = count + 2
  out[count - 1], out[count] = OUT_LIST, length
  for at = 1, length do
    trail[depth + 1] = at
    local item = rawget(list, at)
    if item == nil then
      if not holes_pass then refuse(depth, "a sequence or string keys", "a sequence with holes") end
      write_none(depth)
    else
      write(item, depth + 1)
    end
  end
end

local function write_record(record, length, depth, nones)
  local head = count + 1
  count = count + 2
  for _, key in next, nones or {} do
    if rawget(record, key) == nil then
      make_room(bounded(key, MOST_KEY, "keys", depth), depth)
      count = count + 1
      out[count] = key
      write_none(depth)
      length = length + 1
    end
  end
  out[head], out[head + 1] = OUT_RECORD, length
  for key, item in next, record do
    make_room(bounded(key, MOST_KEY, "keys", depth), depth)
    if not utf8_len(key) then refuse(depth, "keys in UTF-8", "a key that is not") end
    count = count + 1
    out[count] = key
    trail[depth + 1] = key
    write(item, depth + 1)
  end
end

-- How many keys there are in all and how many of them are strings.
local function survey(value)
  local all, strings = 0, 0
  for key in next, value do
    all = all + 1
    if type(key) == "string" then strings = strings + 1 end
  end
  return all, strings
end

function write_table(value, depth)
  if depth >= MOST_NESTING then refuse(0, "at most " .. MOST_NESTING .. " levels of nesting", "more (is it cyclic?)") end
  if parts[value] or is_object[value] then
    if rawequal(value, null) then return write_none(depth) end
    local own = resources_pass and resource_held[value]
    if not own then refuse(depth, "a plain value", article(value)) end
    make_room(0, depth)
    count = count + 2
    out[count - 1], out[count] = OUT_RESOURCE, own.number
    return
  end
  make_room(0, depth)
  local all, strings = survey(value)
  local is_list, shape = strings == 0 and all == rawlen(value), nil
  if getmetatable(value) or not (is_list or strings == all) then shape = shape_of(value, all, strings, nones_pass) end
  if type(shape) == "string" then refuse(depth, "a sequence or string keys", shape) end
  if type(shape) == "number" then return write_list(value, shape, depth, true) end
  if shape or not is_list then return write_record(value, all, depth, shape) end
  write_list(value, all, depth, nones_pass)
end

local function write_all(...)
  out, count = {}, 0
  for at = 1, select("#", ...) do
    trail[0] = at
    write((select(at, ...)), 0)
  end
end

local function flatten_within(bytes, base, ...)
  most, room = bytes, bytes
  local ok, problem = pcall(write_all, ...)
  nones_pass, resources_pass = false, false
  local run, length, keys = out, count, trail
  out, trail = nil, {} -- nothing that the guest gave outlasts the call
  if ok then return true, run, length end
  if problem ~= UNFIT then error(problem, 0) end
  trail = keys
  if base == "$.args" then base = "$.args[" .. trail[0] - 1 .. "]" end
  local path, expected, got = path_of(base, unfit[1]), unfit[2], unfit[3]
  trail, unfit = {}, nil
  return false, path, expected, got
end

-- Returns true with the run and its length, or false with path, expected and got; raises what must unwind the call.
function kernel.flatten(base, ...) return flatten_within(MOST_BYTES, base, ...) end

function kernel.flatten_result(value)
  resources_pass = true
  return flatten_within(MOST_BYTES, "$.result", value)
end

function kernel.flatten_arguments(...)
  nones_pass, resources_pass = true, true
  return flatten_within(MOST_BYTES, "$.args", ...)
end

-- The same for what an error carries.
function kernel.flatten_error(base, value) return flatten_within(ERROR_BYTES, base, value) end

-- How many values a run holds, and how many bytes of text.
function kernel.measure(flat, length)
  local bytes = 0
  for index = 1, length do
    if type(flat[index]) == "string" then bytes = bytes + #flat[index] end
  end
  return length, bytes
end

-- Host to guest ------------------------------------------------------------------------------------------------------

local run, at -- the run being read

-- Lets a table remember what of it is none, for Lua forgets it: the length of a list, or keys of a record.
local function remember(built, nones, filled) return setmetatable(built, { [MEMORY] = nones, filled = filled }) end

local read

local function read_list(built, length)
  local filled = 0
  for index = 1, length do
    local value = read()
    if value ~= nil then
      built[index] = value
      filled = filled + 1
    end
  end
  return filled < length and remember(built, length, filled) or built
end

function read()
  local item = run[at]
  at = at + 1
  if item ~= IN_LIST and item ~= IN_RECORD then
    if item ~= IN_RESOURCE then return item end
    at = at + 2
    return resource(run[at - 2], run[at - 1])
  end
  local built, length = {}, run[at]
  at = at + 1
  if item == IN_LIST then return read_list(built, length) end
  if length == 0 then return setmetatable(built, EMPTY_RECORD) end
  local nones
  for _ = 1, length do
    local key = run[at]
    at = at + 1
    local value = read()
    built[key] = value
    if value == nil then
      nones = nones or {}
      nones[#nones + 1] = key
    end
  end
  return nones and remember(built, nones) or built
end

local function append(all, length, ...)
  local added, piece = select("#", ...), { ... }
  for index = 1, added do all[length + index] = piece[index] end
  return added
end

-- Returns the run that begins with this piece. The host has the rest of a long one.
local function whole(...)
  local all, length, added = { ... }, select("#", ...), select("#", ...)
  while added == AT_ONCE do
    added = append(all, length, more())
    length = length + added
  end
  return all
end

-- Returns the values of a run that begins with this piece.
function kernel.read_all(amount, ...)
  run, at = whole(...), 1
  local values = {}
  for index = 1, amount do values[index] = read() end
  run = nil
  return unpack(values, 1, amount)
end

-- Long runs on their way out -----------------------------------------------------------------------------------------

-- Calls a host function with a string and a flat run. A long one is collected first, and a list of -1 stands for it:
-- so nothing is left over for the next call where this one is broken off.
function kernel.hand(host, first, flat, length)
  if length <= MOST_ARGUMENTS then return host(first, unpack(flat, 1, length)) end
  collect()
  for sent = 0, length - 1, MOST_ARGUMENTS do collect(unpack(flat, sent + 1, min(sent + MOST_ARGUMENTS, length))) end
  return host(first, OUT_LIST, -1)
end

-- A result leaves in several crossings.
local leaving, left, leaving_length

function kernel.more()
  local flat, first, last = leaving, left + 1, min(left + AT_ONCE, leaving_length)
  left = last
  if last == leaving_length then leaving = nil end
  return unpack(flat, first, last)
end

-- flat: nil for no values.
function kernel.leave(flat, length)
  if length <= AT_ONCE then return length, unpack(flat or {}, 1, length) end
  leaving, left, leaving_length = flat, 0, length
  return length
end

kernel.IN_LIST, kernel.IN_RECORD, kernel.IN_RESOURCE = IN_LIST, IN_RECORD, IN_RESOURCE
