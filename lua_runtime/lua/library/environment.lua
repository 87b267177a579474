-- Each chunk's own globals, and `require`: what the chunk's entry declares and nothing else.
local kernel, write_line, LINE_BYTES, known = ...
local error, pairs, tostring, type, select = error, pairs, tostring, type, select
local concat, find, sort, sub, max = table.concat, string.find, table.sort, string.sub, math.max
local globals, always, receive, read_all = kernel.globals, kernel.always, kernel.receive, kernel.read_all

local MOST_SHOWN = 100 -- bytes of a name in a message

local modules = {} -- name -> what `require` gives
local programs = {} -- entry id -> how to run its chunk
local loaded = {} -- entry id -> what its chunk returned

function globals.print(...)
  local shown = {}
  for at = 1, select("#", ...) do shown[at] = tostring((select(at, ...))) end
  local line = concat(shown, "\t")
  receive(write_line(sub(line, 1, LINE_BYTES), max(0, #line - LINE_BYTES)))
end

local function load_library(id)
  if loaded[id] == nil then
    local value = programs[id]()
    loaded[id] = value == nil or value
  end
  return loaded[id]
end

local function not_found(name, id, declared, imports)
  local names = {}
  for module in pairs(declared) do names[#names + 1] = module end
  for alias in pairs(imports) do names[#names + 1] = alias end
  sort(names)
  local list = #names > 0 and id .. " declares: " .. concat(names, ", ") or id .. " declares none"
  local shown = sub(name, 1, MOST_SHOWN)
  local advice = find(" " .. known .. " ", " " .. shown .. " ", 1, true) and "add to the entry: modules: [" .. shown .. "]"
    or "a module of the host is declared under modules:, a library under imports:"
  return "module '" .. shown .. "' not found (" .. list .. "); " .. advice
end

local function requirer(id, declared, imports)
  return function(name)
    if type(name) ~= "string" then error("require expects the name of a module, got a " .. type(name), 2) end
    if always[name] then return always[name] end
    if declared[name] then return modules[name] end
    if imports[name] then return load_library(imports[name]) end
    error(not_found(name, id, declared, imports), 2)
  end
end

-- Takes a list of module names and a record of aliases to entry ids. Returns what is wrong with the code.
function kernel.define(id, name, code, ...)
  local names, imports = read_all(2, ...)
  local declared, environment = {}, {}
  for _, module in pairs(names) do declared[module] = true end
  for global, value in pairs(globals) do environment[global] = value end
  environment._G = environment
  environment.require = requirer(id, declared, imports)
  local problem
  programs[id], problem = kernel.load(code, name, environment)
  return problem
end

function kernel.offer(name, module) modules[name] = kernel.seal(module, name) end

kernel.programs = programs
