local funcs = require("funcs")

local function welcome(name)
    local greeting, err = funcs.call("app:greet", name)
    if err then
        return nil, err
    end

    local vowels, err = funcs.call("app:count_vowels", greeting)
    if err then
        return nil, err
    end

    return { greeting = greeting, vowels = vowels }
end

return { welcome = welcome }
