local json = require("json")

-- Gets a JSON text: {"headlines": [{"title": ..., "points": ...}, ...]}.
local function write(text)
    local found = json.decode(text)
    table.sort(found.headlines, function(a, b) return a.points > b.points end)
    local lines = {}
    for place, headline in ipairs(found.headlines) do
        lines[place] = string.format("%d. %s (%d)", place, headline.title, headline.points)
    end
    return table.concat(lines, "\n")
end

return { write = write }
