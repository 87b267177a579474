-- What a deadline costs inside of C: patterns on 100 KB of text, and sorts of 100,000 numbers.
local text = ("key=value, some words (and more) = 12\n"):rep(2700)
local numbers = {}
for at = 1, 100000 do numbers[at] = at * 7919 % 100003 end

return {
  words = function()
    local count = 0
    for _ in text:gmatch("%w+") do count = count + 1 end
    return count
  end,
  spaces = function() return #text:gsub("%s+", " ") end,
  pairs = function()
    local count = 0
    for _ in text:gmatch("(%w+)=(%w+)") do count = count + 1 end
    return count
  end,
  sorted = function()
    local list = table.move(numbers, 1, #numbers, 1, {})
    table.sort(list)
    return list[1]
  end,
}
