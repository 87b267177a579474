-- Resources of components as guests see them: objects with methods. What stands behind one is a number of the host's,
-- valid during the call that got it; it lies outside of the object, so a guest can forge none.
local kernel, invoke, drop = ...
local error, type, setmetatable = error, type, setmetatable
local is_over = kernel.is_over

local MOST_NAME = 1024 -- bytes of a method's name

local known = setmetatable({}, { __mode = "v" }) -- number -> object
local make, held

local function number_of(object, name)
  local own = held[object]
  return own and own.number or error("expected a resource: write cart:" .. name .. "(...), not cart." .. name .. "(...)", 3)
end

local function drop_it(object) return kernel.receive(drop(number_of(object, "drop"))) end

local function method(_, name)
  if type(name) ~= "string" or #name > MOST_NAME then return nil end
  if name == "drop" then return drop_it end
  return function(object, ...) return kernel.send_arguments(invoke, number_of(object, name) .. "." .. name, ...) end
end

make, held = kernel.class("resource", {
  __index = method,
  __tostring = function(object) return held[object].text end,
  __close = function(object, problem)
    if not is_over(problem) then kernel.receive(drop(held[object].number, true)) end
  end,
})

-- Returns the object for a number, the same one as long as the guest has it.
function kernel.resource(number, text)
  local object = known[number]
  if not object then
    object = make({ number = number, text = text })
    known[number] = object
  end
  return object
end

kernel.resource_held = held
