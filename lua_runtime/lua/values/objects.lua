-- Tables that a guest can look at but not change: the host's modules, and objects such as those of the module `time`.
local kernel = ...
local error, next, setmetatable = error, next, setmetatable

local sealed = setmetatable({}, { __mode = "k" })
local is_object = setmetatable({}, { __mode = "k" }) -- object -> the name of its class

local function unchangeable(label)
  return function() error("the table " .. label .. " cannot be changed", 2) end
end

-- Returns a table that shows what `content` holds and cannot be changed; `content` itself must stay private.
function kernel.seal(content, label)
  local proxy = {}
  local function step(_, key) return next(content, key) end
  sealed[proxy] = true
  return setmetatable(proxy, {
    __index = content,
    __newindex = unchangeable(label),
    __pairs = function() return step, proxy, nil end,
    __metatable = false,
  })
end

-- Returns what makes the objects of a class, and what they hold: it lies outside of them, so a guest can forge none.
function kernel.class(name, metatable)
  local held = setmetatable({}, { __mode = "k" })
  metatable.__name = name
  metatable.__newindex = unchangeable(name)
  metatable.__metatable = false
  local function make(own)
    local object = setmetatable({}, metatable)
    held[object], sealed[object], is_object[object] = own, true, name
    return object
  end
  return make, held
end

kernel.sealed, kernel.is_object = sealed, is_object
