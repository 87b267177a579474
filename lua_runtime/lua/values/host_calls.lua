-- Calls of host functions, in either engine: what is handed over, and what comes back.
local kernel = ...
local new_error, stop = kernel.new_error, kernel.stop
local flatten, flatten_arguments, hand, read_all = kernel.flatten, kernel.flatten_arguments, kernel.hand, kernel.read_all

local function failure(message, kind, retryable, token, trace, ...)
  return new_error({
    message = message, kind = kind, retryable = retryable, token = token, trace = trace, details = read_all(1, ...),
  })
end

-- What a host function returns: one scalar; or nil, a word, and what the word says.
local function receive(value, word, ...)
  if word == nil then return value end
  if word == "value" then return read_all(1, ...) end
  if word == "error" then return nil, failure(...) end
  return stop()
end

local function hand_over(host, first, run, length) return receive(hand(host, first, run, length)) end

local function misfit(kind, path, expected, got)
  return new_error({ message = path .. ": expected " .. expected .. ", got " .. got, kind = kind })
end

local function sent(host, first, fits, run, length, got)
  if not fits then return nil, misfit("Invalid", run, length, got) end
  return receive(hand(host, first, run, length))
end

-- Calls a host function with a string and values of any shape.
function kernel.send(host, first, ...) return sent(host, first, flatten("$.args", ...)) end

-- The same for the arguments of a function, in whose tables nil is none, and among which there may be resources.
function kernel.send_arguments(host, first, ...) return sent(host, first, flatten_arguments(...)) end

kernel.receive, kernel.hand_over, kernel.misfit = receive, hand_over, misfit
kernel.IS_SCALAR = { ["nil"] = true, boolean = true, number = true, string = true }
