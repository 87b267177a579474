local funcs = require("funcs")

local function page(title)
    local slug, err = funcs.call("app:slug", title)
    if err then
        return nil, err
    end

    return "/pages/" .. slug
end

return { page = page }
