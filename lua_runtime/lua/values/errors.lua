-- Error objects (specification: system facts 4.3). Each has a metatable of its own that holds what it is, where no guest
-- can look or forge it. (A weak table would hold it as well, but one whose values lead to its keys costs the collector
-- the square of their number, and an error may hold errors.)
local kernel = ...
local error, tostring, type, rawget, setmetatable, sub = error, tostring, type, rawget, setmetatable, string.sub
local metatable_of, max = debug.getmetatable, math.max
local frames, render = kernel.frames, kernel.render

local KINDS = {
  UNKNOWN = "", NOT_FOUND = "NotFound", ALREADY_EXISTS = "AlreadyExists", INVALID = "Invalid",
  PERMISSION_DENIED = "PermissionDenied", UNAVAILABLE = "Unavailable", INTERNAL = "Internal", CANCELED = "Canceled",
  CONFLICT = "Conflict", TIMEOUT = "Timeout", RATE_LIMITED = "RateLimited",
}

local OWN = kernel.error_key or {} -- the key, in that metatable; C may have to know it
local MOST_TEXT = 64 * 1024 -- bytes, with the context of wraps

-- parts[value]: what an error object is; nil for anything else.
local parts = setmetatable({}, {
  __index = function(_, value)
    local metatable = metatable_of(value)
    return metatable and rawget(metatable, OWN)
  end,
})
local methods = {}

local function part(err)
  return parts[err] or error("expected an error object: write err:kind(), not err.kind()", 3)
end

for _, name in next, { "kind", "message", "retryable", "details" } do
  methods[name] = function(err) return part(err)[name] end
end

function methods.stack(err)
  local own = part(err)
  return own.trace or (own.frames and render(own.frames))
end

local function text(value)
  local own = parts[value]
  return own and (own.text or own.message) or tostring(value)
end

local function unchangeable() error("an error object cannot be changed", 2) end
local function joined(left, right) return text(left) .. text(right) end

-- own: message, text (with the context of wraps), kind, retryable, details, frames or trace, token and cause (the
-- host's numbers of the error that this one is, or was wrapped from).
local function new_error(own)
  return setmetatable({}, {
    [OWN] = own,
    __index = methods,
    __newindex = unchangeable,
    __tostring = text,
    __concat = joined,
    __metatable = false,
  })
end

local function optional(name, value, expected)
  if value ~= nil and type(value) ~= expected then
    error("errors.new: " .. name .. " must be a " .. expected .. ", got " .. type(value), 3)
  end
  return value
end

local errors = {}
for name, kind in pairs(KINDS) do errors[name] = kind end

function errors.new(about)
  if type(about) == "string" then about = { message = about } end
  -- Each key is read once: a guest's __index may give something else the next time.
  local message = type(about) == "table" and about.message
  if type(message) ~= "string" then
    error("errors.new expects a message, or a table with message and perhaps kind, retryable, details", 2)
  end
  return new_error({
    message = message,
    kind = optional("kind", about.kind, "string") or "",
    retryable = optional("retryable", about.retryable, "boolean"),
    details = optional("details", about.details, "table"),
    frames = frames(2),
  })
end

function errors.wrap(inner, context)
  local own = parts[inner]
  if not own and type(inner) ~= "string" or type(context) ~= "string" then
    error("errors.wrap expects an error or a string, and a text that tells what was being done", 2)
  end
  own = own or { message = inner, kind = "", frames = frames(2) }
  return new_error({
    message = own.message,
    text = sub(context, 1, MOST_TEXT) .. ": " .. sub(own.text or own.message, 1, max(0, MOST_TEXT - #context)),
    kind = own.kind,
    retryable = own.retryable,
    details = own.details,
    frames = own.frames,
    trace = own.trace,
    cause = own.token or own.cause,
  })
end

function errors.is(value, kind)
  local own = parts[value]
  return own ~= nil and own.kind == kind
end

function errors.call_stack(err)
  local copy = {}
  for at, frame in ipairs(part(err).frames or {}) do
    copy[at] = { source = frame.source, line = frame.line, name = frame.name }
  end
  return { frames = copy }
end

-- What a module's function returns to one who calls it wrongly.
function kernel.invalid(message)
  return nil, new_error({ message = message, kind = "Invalid", frames = frames(2) })
end

kernel.error_parts = parts
kernel.error_text = text
kernel.new_error = new_error
kernel.errors = errors
