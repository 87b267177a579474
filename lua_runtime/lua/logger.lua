-- The module `logger`: structured lines in the log of the entry (specification: system facts 4.4).
local kernel, write = ...
local error, next, pairs, tostring, type = error, next, pairs, tostring, type
local send, seal, new_error = kernel.send, kernel.seal, kernel.new_error

local function merged(inherited, fields)
  local all = {}
  for name, value in next, inherited do all[name] = value end
  for name, value in pairs(fields or {}) do all[tostring(name)] = value end
  return all
end

-- What a log cannot show as a value it shows as text.
local function showable(fields)
  local shown = {}
  for name, value in next, fields do
    local fits = kernel.flatten("$", value)
    shown[name] = fits and value or tostring(value)
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
      local _, failure = send(write, level, name, tostring(message), all)
      if failure then error(failure, 2) end
    end
  end
  logger["with"] = function(_, fields) return make(name, merged(inherited, fields_of(fields, 2))) end
  function logger.named(_, suffix)
    if type(suffix) ~= "string" or suffix == "" then
      return nil, new_error({ message = "logger:named expects a name", kind = "Invalid" })
    end
    return make(name == "" and suffix or name .. "." .. suffix, inherited)
  end
  return seal(logger, "logger")
end

kernel.offer("logger", make("", {}))
