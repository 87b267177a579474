-- The module `yaml` (specification: system facts 4.4).
local kernel, encode, decode = ...
local ipairs, pairs, tostring, type, tointeger = ipairs, pairs, tostring, type, math.tointeger
local checked, invalid, handed = kernel.checked, kernel.invalid, kernel.handed

local OPTIONS = { field_order = "table", sort_unordered = "boolean", indent = "number" }

-- Returns the field order and the indent that the options say, or nil and what is wrong with them.
local function understood(options)
  for name, value in pairs(options) do
    if OPTIONS[name] == nil then return nil, "there is no option \"" .. tostring(name) .. "\"" end
    if type(value) ~= OPTIONS[name] then return nil, "the option " .. name .. " must be a " .. OPTIONS[name] end
  end
  local order = {}
  for at, name in ipairs(options.field_order or order) do
    if type(name) ~= "string" then return nil, "the option field_order must be a list of strings" end
    order[at] = name
  end
  local indent = tointeger(options.indent or 2)
  if not indent or indent < 2 or indent > 9 then return nil, "the option indent must be from 2 to 9" end
  return order, indent
end

local function encoded(value, options)
  local order, indent = understood(options or {})
  if not order then return invalid("yaml.encode: " .. indent) end
  return handed("Internal", encode, value, order, indent)
end

kernel.offer("yaml", {
  encode = checked("yaml.encode", "table table?", encoded, true),
  decode = checked("yaml.decode", "text", decode),
})
