local stats = {}

function stats.mean(numbers)
    local sum = 0
    for _, number in ipairs(numbers) do
        sum = sum + number
    end
    return sum / #numbers
end

function stats.extremes(numbers)
    return math.min(table.unpack(numbers)), math.max(table.unpack(numbers))
end

return stats
