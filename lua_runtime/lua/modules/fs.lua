-- The module `fs` (specification: system facts 1.8, 4.4). Folders and files are numbers to the host; what belongs to
-- them lies outside of the objects that the guest holds, so it can forge none.
local kernel, get, read_file, write_file, status, members, make_folder, remove, change, read, write, seek, file_status,
  sync, close, open = ...
local error, next, setmetatable, tostring, type = error, next, setmetatable, tostring, type
local sub, find, offset, utf8_len, integer = string.sub, string.find, utf8.offset, utf8.len, math.tointeger
local receive, new_error, refuse, seal = kernel.receive, kernel.new_error, kernel.invalid, kernel.seal

local CHUNK = 64 * 1024
local MOST_TOKEN = 1024 * 1024
local OPEN_MODES = { r = true, ["r+"] = true, w = true, ["w+"] = true, a = true, ["a+"] = true, wx = true, ["wx+"] = true }
local WRITE_MODES = { w = true, a = true, wx = true }
local WHENCE = { SET = "set", CUR = "cur", END = "end" }
local IS_WHENCE = { set = true, cur = true, ["end"] = true }

local folders = setmetatable({}, { __mode = "k" }) -- object -> number, cwd
local files = setmetatable({}, { __mode = "k" }) -- object -> number, path
local scanners = setmetatable({}, { __mode = "k" })

local function owner(objects, object, what)
  return objects[object] or error("expected " .. what .. ": call its methods with a colon", 3)
end

local function absolute(folder, path)
  return sub(path, 1, 1) == "/" and path or folder.cwd .. "/" .. path
end

-- Puts the path before what the operating system said.
local function about(path, value, problem)
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

function file_methods.read(file, size)
  local own, count = owner(files, file, "a file"), size == nil and 4096 or integer(size)
  if not count or count < 1 then return refuse("file:read expects a number of bytes from 1 on") end
  return about(own.path, receive(read(own.number, count)))
end

function file_methods.write(file, data)
  local own, bytes = owner(files, file, "a file"), bytes_of(data)
  if not bytes then return refuse("file:write expects a string, got a " .. type(data)) end
  return about(own.path, receive(write(own.number, bytes)))
end

function file_methods.seek(file, whence, distance)
  local own = owner(files, file, "a file")
  local by = distance == nil and 0 or integer(distance)
  if whence == nil then whence = "cur" end
  if not IS_WHENCE[whence] or not by then return refuse("file:seek expects fs.seek.SET, CUR or END, and an integer") end
  return about(own.path, receive(seek(own.number, whence, by)))
end

function file_methods.stat(file)
  local own = owner(files, file, "a file")
  return about(own.path, receive(file_status(own.number, own.path)))
end

function file_methods.sync(file)
  local own = owner(files, file, "a file")
  return about(own.path, receive(sync(own.number)))
end

function file_methods.close(file)
  local own = owner(files, file, "a file")
  return about(own.path, receive(close(own.number)))
end

function file_methods.scanner(file, unit)
  local own, split = owner(files, file, "a file"), splitters[unit == nil and "lines" or unit]
  if not split then return refuse("file:scanner expects lines, words, bytes or runes") end
  local scanner = seal(scanner_methods, "scanner")
  scanners[scanner] = { number = own.number, split = split, text = "", from = 1, ended = false }
  return scanner
end

-- Folders ------------------------------------------------------------------------------------------------------------

local methods = {}

local function folder_and_path(self, path)
  local own = owner(folders, self, "what fs.get gives")
  if type(path) ~= "string" then return refuse("expected a path, got a " .. type(path)) end
  return own, absolute(own, path)
end

for name, host in next, { readfile = read_file, mkdir = make_folder, remove = remove, stat = status } do
  methods[name] = function(self, path)
    local own, full = folder_and_path(self, path)
    if not own then return nil, full end
    return about(path, receive(host(own.number, full)))
  end
end
methods.read_file = methods.readfile

function methods.writefile(self, path, data, mode)
  local own, full = folder_and_path(self, path)
  if not own then return nil, full end
  local bytes = bytes_of(data)
  if not bytes then return refuse("writefile expects a string, got a " .. type(data)) end
  if mode == nil then mode = "w" end
  if not WRITE_MODES[mode] then return refuse('writefile expects the mode "w", "a" or "wx"') end
  return about(path, receive(write_file(own.number, full, mode, bytes)))
end
methods.write_file = methods.writefile

local function found(self, path)
  local own, full = folder_and_path(self, path)
  if not own then return nil, full end
  local about_it, problem = about(path, receive(status(own.number, full)))
  if problem and problem:kind() == "NotFound" then return false end
  return about_it, problem
end

function methods.exists(self, path)
  local what, problem = found(self, path)
  if problem then return nil, problem end
  return what ~= false
end

function methods.isdir(self, path)
  local what, problem = found(self, path)
  if problem then return nil, problem end
  return what ~= false and what.is_dir
end

function methods.readdir(self, path)
  local own, full = folder_and_path(self, path)
  if not own then return nil, full end
  local list, problem = about(path, receive(members(own.number, full)))
  if problem then return nil, problem end
  local at = 0
  return function()
    at = at + 1
    return list[at]
  end
end

function methods.open(self, path, mode)
  local own, full = folder_and_path(self, path)
  if not own then return nil, full end
  if mode == nil then mode = "r" end
  if not OPEN_MODES[mode] then return refuse('open expects the mode "r", "w", "a" or "wx", perhaps with "+"') end
  local number, problem = about(path, receive(open(own.number, full, mode)))
  if problem then return nil, problem end
  local file = seal(file_methods, "file")
  files[file] = { number = number, path = path }
  return file
end

function methods.chdir(self, path)
  local own, full = folder_and_path(self, path)
  if not own then return nil, full end
  local cwd, problem = about(path, receive(change(own.number, full)))
  if problem then return nil, problem end
  own.cwd = cwd
  return true
end

function methods.pwd(self) return owner(folders, self, "what fs.get gives").cwd end

local fs = { type = seal({ FILE = "file", DIR = "directory" }, "fs.type"), seek = seal(WHENCE, "fs.seek") }

function fs.get(name)
  if type(name) ~= "string" or name == "" then return refuse("fs.get expects the id of an fs.directory entry") end
  local number, problem = receive(get(name))
  if problem then return nil, problem end
  local folder = seal(methods, "file system")
  folders[folder] = { number = number, cwd = "/" }
  return folder
end

kernel.offer("fs", fs)
