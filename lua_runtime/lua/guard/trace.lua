-- Where in the guest's own files something happened. Frames of the host's Lua code and of C are left out.
local kernel = ...
local getinfo, concat, sub, gsub, match = debug.getinfo, table.concat, string.sub, string.gsub, string.match
local running = coroutine.running

-- getinfo(level) walks the stack from the top, so a walk costs its square: a runaway recursion must not be listed whole.
local MOST_LEVELS, MOST_FRAMES = 60, 12
local NOWHERE = "?:-1: " -- what Lua puts before an error in code of ours, which carries no lines

local function frame_of(info)
  local source, is_main = sub(info.source, 2), info.what == "main"
  local name = is_main and "main chunk" or info.name or "function <" .. source .. ":" .. info.linedefined .. ">"
  return { source = source, line = info.currentline, name = name, named = not is_main and info.name ~= nil }
end

local function frames(level)
  local found = {}
  for at = level + 1, level + MOST_LEVELS do
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

-- Lua says of an error in C where the guest called it, by which name, and counts the arguments of a method without its
-- own. In code of ours, and in what it calls, Lua finds nothing of that: this adds it. `level`: that of what raised it, in
-- the coroutine that it ended, if it did.
function kernel.located(message, level, ended)
  local thread, at, ours = ended or running(), ended and level or level + 1, sub(message, 1, #NOWHERE) == NOWHERE
  local raiser = getinfo(thread, at, "Sf")
  if not raiser or raiser.func == error or not ours and raiser.what ~= "C" then return message end
  if ours then message = sub(message, #NOWHERE + 1) else at = at + 1 end
  local own, info = nil, getinfo(thread, at, "S")
  -- C calls code of ours to compare, and nothing else: else it is where Lua finds no place either.
  while info and sub(info.source, 1, 1) ~= "@" and (ours or info.what ~= "C") do
    own, at = at, at + 1
    info = getinfo(thread, at, "Sl")
  end
  if not own then return message end
  local by_c = not info or info.what == "C"
  local called, name = getinfo(thread, own, "n"), kernel.name_of(raiser.func)
  local without = called.namewhat == "method" and 1 or 0
  name = called.name or name and not by_c and match(name, "%w+$") or name
  message = gsub(message, "^bad argument #(%d+) to '([^']*)'", function(number, shown)
    return "bad argument #" .. number - without .. " to '" .. (name or shown) .. "'"
  end)
  if by_c then return message end
  return sub(info.source, 2) .. ":" .. info.currentline .. ": " .. message
end

kernel.frames = frames
