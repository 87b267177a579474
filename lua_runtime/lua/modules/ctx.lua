-- The module `ctx`: the values that came with the call (specification: system facts 4.4).
local kernel, get, all = ...
local type = type
local receive, invalid = kernel.receive, kernel.invalid

local ctx = {}

function ctx.get(key)
  if type(key) ~= "string" or key == "" then return invalid("ctx.get expects the name of a value") end
  return receive(get(key))
end

function ctx.all() return receive(all()) end

kernel.offer("ctx", ctx)
