-- The module `payload`: a value together with the format it is in (specification: system facts 4.4).
local kernel, encode_json, decode_json, encode_yaml, decode_yaml = ...
local error, next, tostring, type = error, next, tostring, type
local receive, new_error, seal, parts, error_text =
  kernel.receive, kernel.new_error, kernel.seal, kernel.error_parts, kernel.error_text
local holder, handed = kernel.holder, kernel.handed

local FORMAT = {
  JSON = "json/plain", YAML = "yaml/plain", STRING = "text/plain", BYTES = "application/octet-stream",
  MSGPACK = "application/msgpack", LUA = "lua/any", GOLANG = "golang/any", ERROR = "golang/error",
}

local methods = {}
local new_payload, contents = holder(methods, "payload")

local function make(format, value) return new_payload({ format = format, value = value }) end

local function content(payload)
  return contents(payload) or error("expected a payload: write p:data(), not p.data()", 3)
end

local function refuse(message, kind) return nil, new_error({ message = message, kind = kind }) end

local function to_json(value)
  if value == nil then return "null" end
  return handed("Invalid", encode_json, value)
end

local function to_yaml(value)
  if value == nil then return "null" end
  return handed("Invalid", encode_yaml, value, {}, 2)
end

local function to_text(value)
  if type(value) == "table" and not parts[value] then return to_json(value) end
  return value == nil and "" or type(value) == "table" and error_text(value) or tostring(value)
end

local function same(value) return value end

-- From and to a plain Lua value. A text goes on as it is where only text is asked for.
local readers = {
  [FORMAT.JSON] = function(text) return receive(decode_json(text)) end,
  [FORMAT.YAML] = function(text) return receive(decode_yaml(text)) end,
}
local writers = { [FORMAT.JSON] = to_json, [FORMAT.YAML] = to_yaml }
for _, format in next, { FORMAT.LUA, FORMAT.STRING, FORMAT.BYTES, FORMAT.ERROR } do readers[format] = same end
for _, format in next, { FORMAT.STRING, FORMAT.BYTES } do writers[format] = to_text end
writers[FORMAT.LUA] = same

function methods.get_format(payload) return content(payload).format end

function methods.data(payload) return content(payload).value end

function methods.unmarshal(payload)
  local own = content(payload)
  return readers[own.format](own.value)
end

function methods.transcode(payload, format)
  local own = content(payload)
  if format == own.format then return payload end
  if type(format) ~= "string" then return refuse("transcode expects a format of payload.format", "Invalid") end
  local write = writers[format]
  if not write then return refuse("a payload cannot be made " .. tostring(format) .. " here", "Unavailable") end
  local value, problem = own.value, nil
  if write ~= to_text then value, problem = readers[own.format](value) end
  if problem == nil then value, problem = write(value) end
  if problem ~= nil then return nil, problem end
  return make(format, value)
end

local payload = { format = seal(FORMAT, "payload.format") }

function payload.new(value) return make(parts[value] and FORMAT.ERROR or FORMAT.LUA, value) end

kernel.offer("payload", payload)
