-- The module `hash` (specification: system facts 4.4; FIPS 180-4, RFC 1321, RFC 2104). FNV-1 is counted here, because
-- Lua code can be interrupted.
local kernel, digest, mac = ...
local byte, ipairs, checked = string.byte, ipairs, kernel.checked

local hash = {}

for _, name in ipairs({ "md5", "sha1", "sha256", "sha512" }) do
  hash[name] = checked("hash." .. name, "string boolean?", function(data, raw) return digest(name, data, raw) end)
  hash["hmac_" .. name] = checked("hash.hmac_" .. name, "string string boolean?", function(data, secret, raw)
    return mac(name, data, secret, raw)
  end)
end

local function fnv(name, offset, prime, mask)
  hash[name] = checked("hash." .. name, "string", function(data)
    local sum = offset
    for at = 1, #data do sum = ((sum * prime) & mask) ~ byte(data, at) end
    return sum
  end, true)
end

fnv("fnv32", 0x811c9dc5, 0x01000193, 0xffffffff)
fnv("fnv64", 0xcbf29ce484222325, 0x100000001b3, -1)

kernel.offer("hash", hash)
