local adler = require("adler")

-- Both are called with `call-bytes`: a Lua string is bytes, in and out. The digest is text, the stamp is not.
local function digest(bytes)
    return string.format("%08x", adler.sum(bytes))
end

local function stamp(receipt)
    return string.pack(">I4I2", adler.sum(receipt), #receipt & 0xffff)
end

return { digest = digest, stamp = stamp }
