-- The module `crypto` (specification: system facts 4.4).
local kernel, random_bytes, random_text, random_uuid, mac, encrypt, decrypt, jwt_encode, jwt_verify, pbkdf2,
  compare = ...
local ipairs, checked, seal = ipairs, kernel.checked, kernel.seal

local random, hmac, encrypted, decrypted, jwt = {}, {}, {}, {}, {}

random.bytes = checked("crypto.random.bytes", "integer", random_bytes)
random.string = checked("crypto.random.string", "integer string?", random_text)
random.uuid = checked("crypto.random.uuid", "", random_uuid)

for _, name in ipairs({ "sha256", "sha512" }) do
  hmac[name] = checked("crypto.hmac." .. name, "string string", function(key, data) return mac(name, key, data) end)
end

for _, name in ipairs({ "aes", "chacha20" }) do
  local shape = "string string string?"
  encrypted[name] = checked("crypto.encrypt." .. name, shape, function(...) return encrypt(name, ...) end)
  decrypted[name] = checked("crypto.decrypt." .. name, shape, function(...) return decrypt(name, ...) end)
end

jwt.encode = checked("crypto.jwt.encode", "table string string?", function(claims, key, algorithm)
  return kernel.handed("Invalid", jwt_encode, claims, key, algorithm or "HS256")
end, true)
jwt.verify = checked("crypto.jwt.verify", "string string string? boolean?", jwt_verify)

kernel.offer("crypto", {
  random = seal(random, "crypto.random"),
  hmac = seal(hmac, "crypto.hmac"),
  encrypt = seal(encrypted, "crypto.encrypt"),
  decrypt = seal(decrypted, "crypto.decrypt"),
  jwt = seal(jwt, "crypto.jwt"),
  pbkdf2 = checked("crypto.pbkdf2", "string string integer integer string?", pbkdf2),
  constant_time_compare = checked("crypto.constant_time_compare", "string string", compare),
})
