-- The standard library as guests see it: an allow-list, sealed. In `kernel.own` is what stands for Lua's own functions.
local kernel = ...
local error, next, select, type, random, randomseed = error, next, select, type, math.random, math.randomseed
local own, seal = kernel.own, kernel.seal

local GLOBALS = {
  "_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select",
  "setmetatable", "tonumber", "tostring", "type", "xpcall",
}
local LIBRARIES = {
  string = {
    "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize", "rep", "reverse", "sub",
    "unpack", "upper",
  },
  table = { "concat", "insert", "move", "pack", "remove", "sort", "unpack" },
  math = {
    "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge", "log", "max", "maxinteger", "min",
    "mininteger", "modf", "pi", "rad", "random", "randomseed", "sin", "sqrt", "tan", "tointeger", "type", "ult",
  },
  utf8 = { "char", "charpattern", "codepoint", "codes", "len", "offset" },
  coroutine = { "close", "create", "isyieldable", "resume", "running", "status", "wrap", "yield" },
  os = { "clock", "date", "difftime", "time" },
}

-- Without seeds, Lua's own takes an address and the time.
local function seed(...)
  if select("#", ...) == 0 then return randomseed(random(0), random(0)) end
  return randomseed(...)
end

local function pick(source, instead, listed)
  local picked = {}
  for at = 1, #listed do
    local name = listed[at]
    picked[name] = instead and instead[name] or source[name]
  end
  return picked
end

local globals, always, tables = pick(_G, own.globals, GLOBALS), {}, nil
for library, listed in next, LIBRARIES do
  local content = pick(_G[library], own[library], listed)
  if library == "table" then tables = content end
  if library == "math" then content.randomseed = seed end
  if library == "os" then content.platform = "wippy" end -- what scripts written for that system ask for
  always[library] = seal(content, library)
end
always.errors = seal(kernel.errors, "errors")
for name, library in next, always do globals[name] = library end
globals.unpack = tables.unpack

function tables.maxn(list)
  if type(list) ~= "table" then error("bad argument #1 to 'maxn' (table expected, got " .. type(list) .. ")", 2) end
  local most = 0
  for key in next, list do
    if type(key) == "number" and key > most then most = key end
  end
  return most
end

local metatable = debug.getmetatable("")
metatable.__index, metatable.__metatable = pick(string, own.methods, LIBRARIES.string), false

-- Returns the name of one of Lua's own functions, for messages where the guest calls it by none; nil for others.
function kernel.name_of(wanted)
  for _, name in next, GLOBALS do
    if _G[name] == wanted then return name end
  end
  for library, listed in next, LIBRARIES do
    for _, name in next, listed do
      if _G[library][name] == wanted then return library .. "." .. name end
    end
  end
end

kernel.globals, kernel.always = globals, always
