-- What a table is that is neither plainly a sequence nor plainly a record, or that has a metatable. What is plain each engine
-- sees for itself.
local kernel = ...
local next, type, rawlen, rawget = next, type, rawlen, rawget
local math_type, getmetatable, MEMORY = math.type, debug.getmetatable, kernel.MEMORY

local MOST_HOLES = 100 -- in a list, beyond one for each value that is there: `{ [2^40] = 1 }` is none

local function describe_keys(value, strings)
  if strings > 0 then return "a table with both" end
  for key in next, value do
    if math_type(key) ~= "integer" then return "a table with a key that is a " .. type(key) end
  end
  return "a table with gaps between its integer keys (json.null stands for nothing)"
end

-- What a table that came from the host has for none: keys of a record, as long as it is none of a list; the length of a
-- list, as long as nobody has added or removed an item.
local function remembered(metatable, all, strings)
  local nones = rawget(metatable, MEMORY)
  if type(nones) == "table" then return strings == all and nones end
  return nones and rawget(metatable, "filled") == all and nones
end

-- How long a list with holes is, or nil if the table is none: with `n` as `table.pack` has it, else up to its last value.
local function holed_length(value, all, strings)
  local length = rawget(value, "n")
  if strings > 1 or (strings == 1 and math_type(length) ~= "integer") then return nil end
  all, length = all - strings, length or 0
  for key in next, value do
    if key ~= "n" then
      if math_type(key) ~= "integer" or key < 1 or (strings == 1 and key > length) then return nil end
      if key > length then length = key end
    end
  end
  if all > 0 and length >= all and length - all <= all + MOST_HOLES then return length end
end

-- Returns how long a list is that has holes, or which keys of a record are none; nil if the table is what it looks like; a
-- text if it is neither a list nor a record. `all`: how many keys it has, of which so many are strings.
function kernel.shape_of(value, all, strings, nones_pass)
  local metatable = getmetatable(value)
  local nones = metatable and remembered(metatable, all, strings)
  if nones then return nones end
  if strings == all or strings == 0 and all == rawlen(value) then return nil end
  -- A length that stands in the table is meant; one that ends at the last value may be one that was forgotten.
  return (nones_pass or strings == 1) and holed_length(value, all, strings) or describe_keys(value, strings)
end
