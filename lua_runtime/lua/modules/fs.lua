-- The module `fs` (specification: system facts 1.8, 4.4). Folders and files are numbers to the host; what belongs to
-- them lies outside of the objects that the guest holds, so it can forge none.
local kernel, get, close, write_file, write, read_file, open, status, members, change, make_folder, remove, read, seek,
  file_status, sync = ...
local error, next, setmetatable, tostring, type = error, next, setmetatable, tostring, type
local sub, find, offset, utf8_len, integer = string.sub, string.find, utf8.offset, utf8.len, math.tointeger
local receive, new_error, refuse, seal = kernel.receive, kernel.new_error, kernel.invalid, kernel.seal

local CHUNK = 64 * 1024
local MOST_TOKEN = 1024 * 1024
local OPEN_MODES = {
  r = true, w = true, a = true, wx = true, ["r+"] = true, ["w+"] = true, ["a+"] = true, ["wx+"] = true,
}
local WRITE_MODES = { w = true, a = true, wx = true }
local WHENCE = { SET = "set", CUR = "cur", END = "end" }
local SEEK = { set = 0, cur = 1, ["end"] = 2 } -- as POSIX has them

local folders = setmetatable({}, { __mode = "k" }) -- object -> number, cwd
local files = setmetatable({}, { __mode = "k" }) -- object -> number, path
local scanners = setmetatable({}, { __mode = "k" })

local function owner(objects, object, what)
  return objects[object] or error("expected " .. what .. ": call its methods with a colon", 3)
end

-- Asks the host, and puts the path before what the operating system said.
local function ask(path, host, ...)
  local value, problem = receive(host(...))
  if problem == nil then return value end
  return nil, new_error({ message = path .. ": " .. problem:message(), kind = problem:kind() })
end

local function bytes_of(data)
  if type(data) == "string" then return data end
  return type(data) == "number" and tostring(data) or nil
end

-- Scanners -----------------------------------------------------------------------------------------------------------

-- Each takes the text, where to begin, and whether the file has ended; gives the token and where the next one begins,
-- or nothing when it needs to see more.
local splitters = {}

function splitters.lines(text, from, ended)
  local at = find(text, "\n", from, true)
  if not at and not (ended and from <= #text) then return end
  local last = (at or #text + 1) - 1
  if sub(text, last, last) == "\r" and last >= from then last = last - 1 end
  return sub(text, from, last), (at or #text) + 1
end

function splitters.words(text, from, ended)
  local first = find(text, "%S", from)
  if not first then return end
  local after = find(text, "%s", first)
  if not after and not ended then return end
  return sub(text, first, (after or #text + 1) - 1), after or #text + 1
end

function splitters.bytes(text, from)
  if from <= #text then return sub(text, from, from), from + 1 end
end

function splitters.runes(text, from, ended)
  if from > #text then return end
  if utf8_len(text, from, from) then
    local after = offset(text, 2, from)
    return sub(text, from, after - 1), after
  end
  if #text - from < 3 and not ended then return end
  return "\u{FFFD}", from + 1
end

local scanner_methods = {}

local function stopped(own, problem)
  own.token, own.problem, own.done = nil, problem, true
  return false
end

function scanner_methods.scan(scanner)
  local own = owner(scanners, scanner, "a scanner")
  while not own.done do
    local token, after = own.split(own.text, own.from, own.ended)
    if token then
      own.token, own.from = token, after
      return true
    end
    if own.ended then return stopped(own) end
    own.text, own.from = sub(own.text, own.from), 1
    if #own.text > MOST_TOKEN then
      return stopped(own, new_error({ message = "a token is longer than 1 MiB", kind = "Invalid" }))
    end
    local more, problem = receive(read(own.number, CHUNK))
    if problem then return stopped(own, problem) end
    own.text, own.ended = own.text .. (more or ""), more == nil
  end
  return false
end

function scanner_methods.text(scanner) return owner(scanners, scanner, "a scanner").token or "" end

function scanner_methods.err(scanner) return owner(scanners, scanner, "a scanner").problem end

-- Files --------------------------------------------------------------------------------------------------------------

local file_methods = {}

local function file_method(name, act)
  file_methods[name] = function(file, ...) return act(owner(files, file, "a file"), ...) end
end

file_method("read", function(own, size)
  local count = size == nil and 4096 or integer(size)
  if not count or count < 1 then return refuse("file:read expects a number of bytes from 1 on") end
  return ask(own.path, read, own.number, count)
end)

file_method("write", function(own, data)
  local bytes = bytes_of(data)
  if not bytes then return refuse("file:write expects a string, got a " .. type(data)) end
  return ask(own.path, write, own.number, bytes)
end)

file_method("seek", function(own, whence, distance)
  local from, by = SEEK[whence == nil and "cur" or whence], distance == nil and 0 or integer(distance)
  if not from or not by then return refuse("file:seek expects fs.seek.SET, CUR or END, and an integer") end
  return ask(own.path, seek, own.number, by, from)
end)

file_method("stat", function(own) return ask(own.path, file_status, own.number, own.path) end)
file_method("sync", function(own) return ask(own.path, sync, own.number) end)
file_method("close", function(own) return ask(own.path, close, own.number) end)

file_method("scanner", function(own, unit)
  local split = splitters[unit == nil and "lines" or unit]
  if not split then return refuse("file:scanner expects lines, words, bytes or runes") end
  local scanner = seal(scanner_methods, "scanner")
  scanners[scanner] = { number = own.number, split = split, text = "", from = 1, ended = false }
  return scanner
end)

-- Folders ------------------------------------------------------------------------------------------------------------

local methods = {}

-- Adds a method that takes a path; `act` is given it as it came, and from the folder itself on.
local function folder_method(name, act)
  methods[name] = function(folder, path, ...)
    local own = owner(folders, folder, "what fs.get gives")
    if type(path) ~= "string" then return refuse("expected a path, got a " .. type(path)) end
    return act(own, path, sub(path, 1, 1) == "/" and path or own.cwd .. "/" .. path, ...)
  end
end

for name, host in next, { readfile = read_file, mkdir = make_folder, remove = remove, stat = status } do
  folder_method(name, function(own, path, full) return ask(path, host, own.number, full) end)
end

folder_method("writefile", function(own, path, full, data, mode)
  local bytes = bytes_of(data)
  if not bytes then return refuse("writefile expects a string, got a " .. type(data)) end
  if mode == nil then mode = "w" end
  if not WRITE_MODES[mode] then return refuse('writefile expects the mode "w", "a" or "wx"') end
  return ask(path, write_file, own.number, full, mode, bytes)
end)

-- Returns what is there, false if nothing is, or nil and an error.
local function found(own, path, full)
  local what, problem = ask(path, status, own.number, full)
  if problem and problem:kind() == "NotFound" then return false end
  return what, problem
end

folder_method("exists", function(...)
  local what, problem = found(...)
  if problem then return nil, problem end
  return what ~= false
end)

folder_method("isdir", function(...)
  local what, problem = found(...)
  if problem then return nil, problem end
  return what and what.is_dir
end)

folder_method("readdir", function(own, path, full)
  local list, problem = ask(path, members, own.number, full)
  if problem then return nil, problem end
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end)

folder_method("open", function(own, path, full, mode)
  if mode == nil then mode = "r" end
  if not OPEN_MODES[mode] then return refuse('open expects the mode "r", "w", "a" or "wx", perhaps with "+"') end
  local number, problem = ask(path, open, own.number, full, mode)
  if problem then return nil, problem end
  local file = seal(file_methods, "file")
  files[file] = { number = number, path = path }
  return file
end)

folder_method("chdir", function(own, path, full)
  local cwd, problem = ask(path, change, own.number, full)
  if problem then return nil, problem end
  own.cwd = cwd
  return true
end)

methods.read_file, methods.write_file = methods.readfile, methods.writefile
function methods.pwd(folder) return owner(folders, folder, "what fs.get gives").cwd end

local fs = { type = seal({ FILE = "file", DIR = "directory" }, "fs.type"), seek = seal(WHENCE, "fs.seek") }

fs.get = kernel.checked("fs.get", "text", function(name)
  local number, problem = receive(get(name))
  if problem then return nil, problem end
  local folder = seal(methods, "file system")
  folders[folder] = { number = number, cwd = "/" }
  return folder
end, true)

kernel.offer("fs", fs)
