-- The library `string` where it is not C's own: without addresses, with a bound on what `rep` makes and on layouts, and, but for
-- methods of strings, with error objects for texts.
local kernel = ...
local error, next, select, tostring, type = error, next, select, tostring, type
local tointeger, unpack = math.tointeger, table.unpack
local parts, error_text, pointer, HAS_ADDRESS = kernel.error_parts, kernel.error_text, kernel.pointer, kernel.HAS_ADDRESS
local real_find, real_format, real_gsub, real_rep = string.find, string.format, string.gsub, string.rep

local MOST_MADE = 64 * 1024 * 1024 -- bytes of one string.rep
local MOST_LAYOUT = 16 * 1024 -- bytes of a layout of pack, packsize and unpack
local TAKES_TEXT = "byte find gmatch gsub len lower match pack packsize reverse sub unpack upper"

local methods = {}

-- Of a text; nil for what is none, of which C says so.
local function size_of(value) return (type(value) == "string" or type(value) == "number") and #(value .. "") or nil end

function methods.rep(...)
  local text, times, separator = ...
  if type(text) == "table" and parts[text] then return methods.rep(error_text(text), times, separator) end
  local count, size, between = tointeger(times), size_of(text), separator == nil and 0 or size_of(separator)
  if count and size and between and (count + 0.0) * (size + between) > MOST_MADE then
    error("string.rep: the result would be larger than 64 MiB", 2)
  end
  return real_rep(...)
end

local function laid_out(name, plain)
  return function(...)
    if (size_of((...)) or 0) > MOST_LAYOUT then error(name .. ": a layout of more than " .. MOST_LAYOUT .. " bytes", 2) end
    return plain(...)
  end
end

methods.pack = laid_out("string.pack", string.pack)
methods.packsize = laid_out("string.packsize", string.packsize)
methods.unpack = laid_out("string.unpack", string.unpack)

-- Gives what "%s" and "%p" would show of an object as text: no address, and no code that runs while C has a buffer.
local function without_objects(layout, ...)
  local given, kinds = { ... }, {}
  layout = real_gsub(layout, "(%%[^%a%%]*)(.)", function(flags, kind)
    if kind == "%" then return nil end
    kinds[#kinds + 1] = kind
    return kind == "p" and flags .. "s" or nil
  end)
  for at = 1, #kinds do
    local value = given[at]
    if kinds[at] == "p" then
      given[at] = pointer(value)
    elseif kinds[at] == "s" and HAS_ADDRESS[type(value)] then
      given[at] = tostring(value)
    end
  end
  return real_format(layout, unpack(given, 1, select("#", ...)))
end

local function any_object(first, second, third, ...)
  if HAS_ADDRESS[type(first)] or HAS_ADDRESS[type(second)] or HAS_ADDRESS[type(third)] then return true end
  return select("#", ...) > 0 and any_object(...)
end

function methods.format(...)
  local layout = ...
  if type(layout) == "string" and (any_object(...) or real_find(layout, "p", 1, true)) then
    return (without_objects(...)) -- no tail call, for messages say what the guest called
  end
  if type(layout) == "table" and parts[layout] then return methods.format(error_text(layout), select(2, ...)) end
  return real_format(...)
end

local function for_errors(plain)
  return function(...)
    local text = ...
    if type(text) == "table" and parts[text] then return plain(error_text(text), select(2, ...)) end
    return plain(...)
  end
end

local strings = {}
for name, method in next, methods do strings[name] = method end
for name in TAKES_TEXT:gmatch("%a+") do strings[name] = for_errors(methods[name] or string[name]) end

kernel.strings, kernel.methods = strings, methods
