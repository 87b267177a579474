-- The standard library as guests see it: an allow-list, sealed.
local kernel = ...
local error, type, tostring, next, pairs, setmetatable, rawset = error, type, tostring, next, pairs, setmetatable, rawset
local rawequal, rawget, tonumber = rawequal, rawget, tonumber
local work = kernel.work
local parts, seal, sealed = kernel.error_parts, kernel.seal, kernel.sealed

local function pick(source, names)
  local picked = {}
  for name in names:gmatch("%S+") do picked[name] = source[name] end
  return picked
end

-- Globals ------------------------------------------------------------------------------------------------------------

local times = pick(os, "time date clock difftime")
times.platform = "wippy" -- what scripts written for that system ask for

local globals = pick(_G, "_VERSION assert error ipairs next pairs rawget select tostring type getmetatable")
globals.pcall, globals.xpcall = kernel.pcall, kernel.xpcall
globals.unpack = kernel.tables.unpack

function globals.setmetatable(target, metatable)
  -- A finalizer runs with hooks off, at any time.
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("setmetatable: __gc is not available", 2)
  end
  return setmetatable(target, metatable)
end

function globals.rawequal(left, ...)
  if type(left) == "string" then work(#left) end
  return rawequal(left, ...)
end

function globals.tonumber(value, ...)
  if type(value) == "string" then work(#value) end
  return tonumber(value, ...)
end

function globals.rawset(target, key, value)
  if sealed[target] or parts[target] then error("rawset: this table cannot be changed", 2) end
  return rawset(target, key, value)
end

local codes = pick(utf8, "char charpattern codepoint codes len offset")

for name in ("codepoint len offset"):gmatch("%a+") do
  local plain = codes[name]
  codes[name] = function(text, ...)
    if type(text) == "string" then work(#text) end
    return plain(text, ...)
  end
end

local always = {
  string = seal(kernel.strings, "string"),
  table = seal(kernel.tables, "table"),
  math = seal(pick(math, [[abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf pi
    rad random randomseed sin sqrt tan tointeger type ult]]), "math"),
  utf8 = seal(codes, "utf8"),
  coroutine = seal(kernel.coroutine, "coroutine"),
  os = seal(times, "os"),
  errors = seal(kernel.errors, "errors"),
}
for name, library in pairs(always) do globals[name] = library end

local names = {} -- of C functions, for error messages
for library in ("string table coroutine"):gmatch("%a+") do
  for name, value in pairs(_G[library]) do names[value] = name end
end
names[setmetatable], names[rawset], names[rawequal] = "setmetatable", "rawset", "rawequal"

kernel.names, kernel.globals, kernel.always = names, globals, always
