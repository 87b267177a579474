-- Where in the guest's own files something happened. Frames of the host's Lua code and of C are left out.
local kernel = ...
local getinfo, concat, sub, gsub = debug.getinfo, table.concat, string.sub, string.gsub

-- getinfo(level) walks the stack from the top, so a walk costs its square: a runaway recursion must not be listed whole.
local MOST_LEVELS, MOST_FRAMES = 60, 12
local NOWHERE = "?:-1: " -- what Lua puts before an error in code of ours, which carries no lines

local function frame_of(info)
  local name = info.what ~= "main" and info.name or nil
  local named = name ~= nil
  if info.what == "main" then
    name = "main chunk"
  elseif not named then
    name = "function <" .. sub(info.source, 2) .. ":" .. info.linedefined .. ">"
  end
  return { source = sub(info.source, 2), line = info.currentline, name = name, named = named }
end

local function frames(level, most_levels)
  local found = {}
  for at = level + 1, level + (most_levels or MOST_LEVELS) do
    local info = getinfo(at, "Sln")
    if not info then break end
    if sub(info.source, 1, 1) == "@" then
      if #found == MOST_FRAMES then found.cut = true break end
      found[#found + 1] = frame_of(info)
    end
  end
  return found
end

function kernel.render(found)
  local lines = {}
  for at, frame in ipairs(found) do
    local name = frame.named and "function '" .. frame.name .. "'" or frame.name
    lines[at] = frame.source .. ":" .. frame.line .. ": in " .. name
  end
  if found.cut then lines[#lines + 1] = "..." end
  return concat(lines, "\n")
end

-- A C function that a wrapper of ours calls knows neither its name nor the position of the guest: this adds them.
function kernel.located(message, level, found)
  local first = found[1]
  local place = first and first.source .. ":" .. first.line .. ": " or ""
  if sub(message, 1, #NOWHERE) == NOWHERE then return place .. sub(message, #NOWHERE + 1) end
  local raiser, wrapper = getinfo(level + 1, "Sf"), getinfo(level + 2, "S")
  if not (raiser and wrapper) or raiser.what ~= "C" or raiser.func == error then return message end
  if sub(wrapper.source, 1, 1) == "@" then return message end
  local name = kernel.names and kernel.names[raiser.func]
  if name then message = gsub(message, "'%?'", "'" .. name .. "'", 1) end
  return place .. message
end

kernel.frames = frames
