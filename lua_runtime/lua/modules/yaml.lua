-- The module `yaml` (specification: system facts 4.4).
local kernel, encode, decode = ...
local ipairs, pairs, tostring, type, tointeger = ipairs, pairs, tostring, type, math.tointeger
local flatten, hand_over, misfit = kernel.flatten, kernel.hand_over, kernel.misfit
local receive, invalid = kernel.receive, kernel.invalid

local OPTIONS = { field_order = "table", sort_unordered = "boolean", indent = "number" }
local yaml = {}

-- Returns the field order and the indent that the options say, or nil and what is wrong with them.
local function understood(options)
  if options == nil then return {}, 2 end
  if type(options) ~= "table" then return nil, "the options must be a table" end
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

function yaml.encode(value, options)
  if type(value) ~= "table" then return invalid("yaml.encode expects a table, got " .. type(value)) end
  local order, indent = understood(options)
  if not order then return invalid("yaml.encode: " .. indent) end
  local fits, flat, length, got = flatten("$", value, order, indent)
  if not fits then return nil, misfit("Internal", flat, length, got) end
  return hand_over(encode, "", flat, length)
end

function yaml.decode(text)
  if type(text) ~= "string" or text == "" then return invalid("yaml.decode expects a non-empty string") end
  return receive(decode(text))
end

kernel.offer("yaml", yaml)
