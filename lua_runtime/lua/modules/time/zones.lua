-- Locations of the module `time`. One holds its name and, if it is fixed, its offset in seconds east of UTC; the host
-- knows the rules of the others by their names.
local kernel, zone_at = ...
local receive, time = kernel.receive, kernel.time

local make, locations, method, metatable = time.class("Location")

-- Returns the offset at a Unix time, and the abbreviation.
local function offset_at(location, seconds)
  local own = locations[location]
  if own.offset then return own.offset, own.name end
  local found = receive(zone_at(own.name, seconds))
  return found[1], found[2]
end

-- The Unix time at which clocks at the location show what they would show at `wall` in UTC.
local function from_wall(location, wall)
  local offset = offset_at(location, wall)
  offset = offset_at(location, wall - offset)
  return wall - offset
end

local function fixed(name, offset) return make({ name = name, offset = offset }) end

local utc, localtz = fixed("UTC", 0), make({ name = "Local" })

-- Returns the location of a name, or nil and an error.
local function named(name)
  if name == "UTC" then return utc end
  if name == "Local" then return localtz end
  local _, err = receive(zone_at(name, 0))
  if err then return nil, err end
  return make({ name = name })
end

method("string", function(own) return own.name end)
function metatable.__tostring(location) return locations[location].name end
function metatable.__eq(left, right)
  local a, b = locations[left], locations[right]
  return a ~= nil and b ~= nil and a.name == b.name and a.offset == b.offset
end

time.utc, time.localtz, time.fixed, time.named = utc, localtz, fixed, named
time.offset_at, time.from_wall = offset_at, from_wall
