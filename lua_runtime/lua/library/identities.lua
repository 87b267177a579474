-- What tells objects apart without telling where in the process they are: numbers, in the order of their first showing.
local kernel, seed, other_seed = ...
local format, setmetatable, type = string.format, setmetatable, type
local rawget, raw_get, plain = rawget, debug.getmetatable, tostring

local HAS_ADDRESS = { table = true, ["function"] = true, thread = true, userdata = true }
local numbers = setmetatable({}, { __mode = "k" })
local last = 0

local function number_of(value)
  local number = numbers[value]
  if not number then
    last = last + 1
    number = format("0x%08x", last)
    numbers[value] = number
  end
  return number
end

function kernel.tostring(...)
  local value = ...
  local kind = type(value)
  if not HAS_ADDRESS[kind] then return plain(...) end
  local metatable = raw_get(value)
  if metatable and rawget(metatable, "__tostring") ~= nil then return plain(value) end
  local name = metatable and rawget(metatable, "__name")
  return (type(name) == "string" and name or kind) .. ": " .. number_of(value)
end

-- What "%p" shows.
function kernel.pointer(value) return HAS_ADDRESS[type(value)] and number_of(value) or "(null)" end

-- Lua's own seeds are an address and the time, and what `random` gives tells them.
math.randomseed(seed, other_seed)

kernel.HAS_ADDRESS = HAS_ADDRESS
tostring = kernel.tostring -- for the host's own files
