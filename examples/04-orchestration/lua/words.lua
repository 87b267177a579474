local function money(text)
    local cents = math.tointeger(text)
    return string.format("%d.%02d EUR", cents // 100, cents % 100)
end

local function greeting(name)
    return "Thank you, " .. name .. ". Come again!"
end

return { money = money, greeting = greeting }
