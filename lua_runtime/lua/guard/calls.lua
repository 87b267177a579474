-- The way in: runs the entry's function and brings its result or its failure out as data.
local kernel = ...
local error, next, pcall, type, tostring, xpcall = error, next, pcall, type, tostring, xpcall
local sort, unpack, utf8_len = table.sort, table.unpack, utf8.len
local frames, render, located = kernel.frames, kernel.render, kernel.located
local arm, disarm, fatal, is_over, read_all = kernel.arm, kernel.disarm, kernel.fatal, kernel.is_over, kernel.read_all
local flatten_result, flatten_error, leave, parts, IS_SCALAR =
  kernel.flatten_result, kernel.flatten_error, kernel.leave, kernel.error_parts, kernel.IS_SCALAR

local MOST_STRING = 64 * 1024 * 1024 -- bytes; a longer one is refused, as in tables

local state, restore_limit = kernel.state, kernel.restore_limit

local method
local last_trace

local function on_error(value)
  if is_over(value) then return value end
  last_trace = render(frames(2))
  return type(value) == "string" and located(value, 2) or value
end

-- For what is no answer of the guest. Two values, because a single one would be a result.
local function unwound(problem)
  local word = fatal(false, problem)
  if word then return word, true end
  error(problem, 0) -- a fault of ours
end

-- word: "raised" or "returned". An error without a text is a table that was raised: its details.
local function failed(word, own, trace)
  local text, run, length = own.text or own.message, nil, 0
  if own.details ~= nil then
    local ran, fits, flat, size = pcall(flatten_error, "$.details", own.details)
    if not ran then return unwound(fits) end
    if fits then run, length = flat, size end
    if not fits and not text then text = "a table that is neither an error object nor plain values was raised" end
  end
  return word, text, own.kind, own.retryable, own.token, own.cause, trace, leave(run, length)
end

local function raised(value)
  local trace = last_trace
  last_trace = nil
  if parts[value] then return failed("raised", parts[value], trace) end
  if type(value) == "table" then return failed("raised", { details = value, kind = "Internal" }, trace) end
  return failed("raised", { message = tostring(value), kind = "Internal" }, trace)
end

local function returned_error(err)
  local own = parts[err] or { message = err, kind = "Internal" }
  return failed("returned", own, own.trace or own.frames and render(own.frames))
end

local function result(value)
  local ran, fits, run, length, got = pcall(flatten_result, value)
  if not ran then return unwound(fits) end
  if not fits then return "unfit", run, length, got end
  return "value", leave(run, length)
end

-- One scalar is the answer itself; everything else is a word and what the word says.
local function finish(ok, value, err)
  if not ok or state.stopping then -- whatever the guest returned
    local word = fatal(ok, value)
    if word then return word, true end
    return raised(value)
  end
  -- A string after a value is one more result, as of string.match or pcall; an error object is always an error.
  if err ~= nil and (parts[err] or value == nil and type(err) == "string") then return returned_error(err) end
  local kind = type(value)
  if IS_SCALAR[kind] and (kind ~= "string" or #value <= MOST_STRING) then return value end
  return result(value)
end

local function enter(...)
  if restore_limit then restore_limit() end
  return finish(xpcall(method, on_error, ...))
end

local function method_of_run(amount, ...) return method(read_all(amount, ...)) end

-- The same with arguments that come as a run.
local function enter_run(...)
  if restore_limit then restore_limit() end
  return finish(xpcall(method_of_run, on_error, ...))
end

local function guarded(way_in)
  return function(...)
    arm()
    return disarm(way_in(...))
  end
end

kernel.enter, kernel.enter_guarded = enter, guarded(enter)
kernel.enter_run, kernel.enter_run_guarded = enter_run, guarded(enter_run)

-- Start-up -----------------------------------------------------------------------------------------------------------

local MOST_NAME = 1024 -- bytes

local function function_names(exports)
  local names = {}
  for name, value in next, exports do
    if type(name) == "string" and #name <= MOST_NAME and type(value) == "function" and utf8_len(name) and #names < 100 then
      names[#names + 1] = name
    end
  end
  sort(names)
  return unpack(names)
end

local function run_chunk(id, name)
  local exports = kernel.programs[id]()
  if type(exports) == "function" then return exports, exports end
  return exports, type(exports) == "table" and exports[name] or nil
end

local function started(ok, exports, found)
  local word = fatal(ok, exports)
  if word then return word, true end
  if not ok then return raised(exports) end
  if type(found) ~= "function" then
    return "missing", type(exports), function_names(type(exports) == "table" and exports or {})
  end
  method = found
  if kernel.entered then kernel.entered(found, on_error, finish) end
  return "started"
end

kernel.start = guarded(function(id, name) return started(xpcall(run_chunk, on_error, id, name)) end)
