local adler = require("adler")

-- Both are called with `call-bytes`: a Lua string is bytes, in and out.
local function digest(bytes)
    return string.pack(">I4", adler.sum(bytes))
end

local function stamp(receipt)
    return string.pack(">I4I2", adler.sum(receipt), #receipt & 0xffff)
end

return { digest = digest, stamp = stamp }
