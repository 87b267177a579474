local funcs = require("funcs")
local stats = require("stats")

-- Lines such as "roof 21.5" become records.
local function parse(text)
    local readings = {}
    for sensor, celsius in text:gmatch("(%a+)%s+(-?[%d.]+)") do
        readings[#readings + 1] = { sensor = sensor, celsius = tonumber(celsius) }
    end
    return readings
end

local function report(text, offset)
    local readings = parse(text)
    if #readings == 0 then
        return nil, "no readings in the text"
    end

    -- A list of records goes into the component, and a list of records comes back.
    local calibrated, err = funcs.call("weather:calibrate", readings, offset)
    if err then
        return nil, err
    end

    local celsius = {}
    for index, reading in ipairs(calibrated) do
        celsius[index] = reading.celsius
    end
    local low, high = stats.extremes(celsius)
    return { count = #celsius, mean = stats.mean(celsius), low = low, high = high, first = calibrated[1] }
end

return { report = report }
