local funcs = require("funcs")

local function test()
    local path, err = funcs.call("app:page", "Hello, World!")
    assert(path == "/pages/hello-world", err or path)
end

return { test = test }
