-- Tables that a guest can look at but not change: the host's modules, and objects such as those of the module `time`.
local kernel = ...
local error, next, rawget, setmetatable, metatable_of = error, next, rawget, setmetatable, debug.getmetatable

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

-- Like `seal`, for objects that hold what guests give: it stands in a metatable of each object's own. (In a weak table,
-- values that lead to further keys cost the collector the square of their number.) Returns what makes them, and what
-- gives what one holds.
function kernel.holder(methods, label)
  local OWN = {}
  local refuse = unchangeable(label)
  local function step(_, key) return next(methods, key) end
  local function listed(object) return step, object, nil end
  local function make(own)
    local object = setmetatable({}, {
      [OWN] = own, __index = methods, __newindex = refuse, __metatable = false,
      __pairs = listed,
    })
    sealed[object] = true
    return object
  end
  local function held(object)
    local metatable = metatable_of(object)
    return metatable and rawget(metatable, OWN)
  end
  return make, held
end

-- What stands for null where nil would be no value at all: an item of a list, a key of a record. There is one in a state.
local function no_table() error("attempt to index a null value", 2) end
local null = setmetatable({}, {
  __name = "null", __metatable = false,
  __index = no_table, __newindex = no_table, __len = no_table,
  __pairs = function() return function() end end, -- who looks at all there is meets nothing in it
  __tostring = function() return "null" end,
})
sealed[null], is_object[null] = true, "null"

-- Returns an empty table that is a record as long as it is empty.
kernel.EMPTY_RECORD = { [kernel.MEMORY] = {} }
function kernel.new_record() return setmetatable({}, kernel.EMPTY_RECORD) end

kernel.sealed, kernel.is_object, kernel.null = sealed, is_object, null
