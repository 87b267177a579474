-- A tight loop: as many rounds as asked for.
local function spin(rounds)
    local value = 0
    for round = 1, rounds do
        value = (value * 31 + round) & 0xffffffff
    end
    return value
end

return { spin = spin }
