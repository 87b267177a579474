-- The standard library as guests see it: an allow-list, bounded where C would run or allocate without end, and sealed.
local kernel = ...
local error, type, tostring, next, pairs, setmetatable, rawset = error, type, tostring, next, pairs, setmetatable, rawset
local rawget, getmetatable, tonumber = rawget, debug.getmetatable, tonumber
local parts, error_text, seal, sealed = kernel.error_parts, kernel.error_text, kernel.seal, kernel.sealed

local MOST_REPEATED = 64 * 1024 * 1024 -- bytes of one string.rep
local MOST_MOVED = 10 * 1000 * 1000 -- elements that one library call shifts

local function pick(source, names)
  local picked = {}
  for name in names:gmatch("%S+") do picked[name] = source[name] end
  return picked
end

-- string -------------------------------------------------------------------------------------------------------------

local strings = pick(string, [[byte char find format gmatch gsub len lower match pack packsize reverse sub unpack upper]])
local real_rep = string.rep
local is_text = { string = true, number = true }

-- C takes "3" and 3.0 for the integer 3, and a number for a string.
function strings.rep(text, times, separator)
  local count = tonumber(times)
  if count and count > 0 and is_text[type(text)] then
    local unit = #tostring(text) + (is_text[type(separator)] and #tostring(separator) or 0)
    if unit == 0 then return "" end
    if unit * (count + 0.0) > MOST_REPEATED then error("string.rep: the result would be larger than 64 MiB", 2) end
  end
  return real_rep(text, times, separator)
end

local gsub, calling_gsub = string.gsub, kernel.limit_nesting("string.gsub", string.gsub)

function strings.gsub(text, pattern, replacement, ...)
  if type(replacement) == "string" then return gsub(text, pattern, replacement, ...) end
  return calling_gsub(text, pattern, replacement, ...)
end

strings.format = kernel.limit_nesting("string.format", string.format)

local string_metatable = getmetatable("")
string_metatable.__index = strings
string_metatable.__metatable = false

-- As methods these see strings only; as library functions they take error objects too.
local lenient = pick(strings, "char format pack packsize unpack")
for name in ("byte find gmatch gsub len lower match rep reverse sub upper"):gmatch("%S+") do
  local plain = strings[name]
  lenient[name] = function(subject, ...)
    if parts[subject] then subject = error_text(subject) end
    return plain(subject, ...)
  end
end

-- table --------------------------------------------------------------------------------------------------------------

local tables = pick(table, "pack unpack")
local real_move = table.move
local real_concat = kernel.limit_nesting("table.concat", table.concat)

-- A table whose __len lies would keep a C loop busy for years.
for name in ("concat insert remove sort"):gmatch("%S+") do
  local plain = name == "concat" and real_concat or table[name]
  tables[name] = function(list, ...)
    if type(list) == "table" and getmetatable(list) and #list > MOST_MOVED then
      error("table." .. name .. ": the list has more than 10 million elements", 2)
    end
    return plain(list, ...)
  end
end

function tables.move(from, first, last, to, target)
  local from_index, to_index = tonumber(first), tonumber(last)
  if from_index and to_index and to_index - (from_index + 0.0) > MOST_MOVED then
    error("table.move: more than 10 million elements", 2)
  end
  return real_move(from, first, last, to, target or from)
end

function tables.maxn(list)
  local most = 0
  for key in next, list do
    if type(key) == "number" and key > most then most = key end
  end
  return most
end

-- Globals ------------------------------------------------------------------------------------------------------------

local times = pick(os, "time date clock difftime")
times.platform = "wippy" -- what scripts written for that system ask for

local globals = pick(_G, "_VERSION assert error ipairs next pairs rawequal rawget select tonumber tostring type getmetatable")
globals.pcall, globals.xpcall = kernel.pcall, kernel.xpcall
globals.unpack = table.unpack

function globals.setmetatable(target, metatable)
  -- A finalizer runs with hooks off, at any time.
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("setmetatable: __gc is not available", 2)
  end
  return setmetatable(target, metatable)
end

function globals.rawset(target, key, value)
  if sealed[target] or parts[target] then error("rawset: this table cannot be changed", 2) end
  return rawset(target, key, value)
end

local always = {
  string = seal(lenient, "string"),
  table = seal(tables, "table"),
  math = seal(pick(math, [[abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf pi
    rad random randomseed sin sqrt tan tointeger type ult]]), "math"),
  utf8 = seal(pick(utf8, "char charpattern codepoint codes len offset"), "utf8"),
  coroutine = seal(kernel.coroutine, "coroutine"),
  os = seal(times, "os"),
  errors = seal(kernel.errors, "errors"),
}
for name, library in pairs(always) do globals[name] = library end

local names = {} -- of C functions, for error messages
for library in ("string table coroutine"):gmatch("%a+") do
  for name, value in pairs(_G[library]) do names[value] = name end
end
names[setmetatable], names[rawset] = "setmetatable", "rawset"

kernel.names, kernel.globals, kernel.always = names, globals, always
