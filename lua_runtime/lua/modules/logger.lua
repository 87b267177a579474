-- The module `logger`: structured lines in the log of the entry (specification: system facts 4.4).
local kernel, write, LINE_BYTES, MOST_VALUES = ...
local error, next, pairs, tostring, type = error, next, pairs, tostring, type
local max, sub, utf8_len = math.max, string.sub, utf8.len
local send, seal, invalid, measure = kernel.send, kernel.seal, kernel.invalid, kernel.measure

local MOST_NAME = 256

local function merged(inherited, fields)
  local all = {}
  for name, value in next, inherited do all[name] = value end
  for name, value in pairs(fields or {}) do all[tostring(name)] = value end
  return all
end

-- What a log cannot show as a value it shows as text.
local function as_value(value)
  local fits, flat, length = kernel.flatten("$", value)
  if fits then return value, flat, length end
  value = tostring(value)
  fits, flat, length = kernel.flatten("$", value)
  return value, flat, length
end

-- The fields of one line share its bounds; one that does not fit gives way to a text that says so.
local function showable(fields)
  local shown, values_left, bytes_left = {}, MOST_VALUES, LINE_BYTES
  for name, field in next, fields do
    local value, flat, length = as_value(field)
    local values, bytes = measure(flat, length)
    bytes = bytes + #name
    if bytes > bytes_left or values > values_left then
      value, bytes, values = "(" .. values .. " values, " .. bytes .. " bytes dropped)", #name + 64, 1
    end
    bytes_left, values_left = bytes_left - bytes, values_left - values
    if bytes_left < 0 or values_left < 0 then -- so many that not even their names have room
      shown["..."] = "(more fields dropped)"
      break
    end
    shown[name] = value
  end
  return shown
end

local function fields_of(fields, level)
  if fields ~= nil and type(fields) ~= "table" then error("the fields of a log line are a table", level + 1) end
  return fields
end

local function make(name, inherited)
  local logger = {}
  for _, level in pairs({ "debug", "info", "warn", "error" }) do
    logger[level] = function(_, message, fields)
      local all = showable(merged(inherited, fields_of(fields, 2)))
      local text = tostring(message)
      local _, failure = send(write, level, name, sub(text, 1, LINE_BYTES), max(0, #text - LINE_BYTES), all)
      if failure then error(failure, 2) end
    end
  end
  logger["with"] = function(_, fields) return make(name, merged(inherited, fields_of(fields, 2))) end
  function logger.named(_, suffix)
    if type(suffix) ~= "string" or suffix == "" then return invalid("logger:named expects a name") end
    local full = name == "" and suffix or name .. "." .. suffix
    if #full > MOST_NAME or not utf8_len(full) then
      return invalid("a logger's name is text of at most 256 bytes")
    end
    return make(full, inherited)
  end
  return seal(logger, "logger")
end

kernel.offer("logger", make("", {}))
