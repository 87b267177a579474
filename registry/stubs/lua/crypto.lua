---@meta crypto

local crypto = {}

crypto.random = {}

---@param count integer 1 to 1,048,576
---@return string? bytes
---@return polycall.Error? err
function crypto.random.bytes(count) end

---@param count integer
---@param alphabet? string letters and digits, if it is left out
---@return string? text
---@return polycall.Error? err
function crypto.random.string(count, alphabet) end

---@return string uuid of version 4
function crypto.random.uuid() end

crypto.hmac = {}

---@param key string
---@param data string
---@return string? digits hexadecimal
---@return polycall.Error? err
function crypto.hmac.sha256(key, data) end

---@param key string
---@param data string
---@return string? digits hexadecimal
---@return polycall.Error? err
function crypto.hmac.sha512(key, data) end

---@param a string
---@param b string
---@return boolean? same
---@return polycall.Error? err
function crypto.constant_time_compare(a, b) end

---@param password string
---@param salt string
---@param iterations integer
---@param length integer up to 1024
---@param hash? "sha256"|"sha512"
---@return string? key
---@return polycall.Error? err
function crypto.pbkdf2(password, salt, iterations, length, hash) end

crypto.encrypt = {}

---@param data string
---@param key string of 16, 24 or 32 bytes
---@param aad? string
---@return string? sealed
---@return polycall.Error? err
function crypto.encrypt.aes(data, key, aad) end

---@param data string
---@param key string of 32 bytes
---@param aad? string
---@return string? sealed
---@return polycall.Error? err
function crypto.encrypt.chacha20(data, key, aad) end

crypto.decrypt = {}

---@param sealed string
---@param key string
---@param aad? string
---@return string? data
---@return polycall.Error? err
function crypto.decrypt.aes(sealed, key, aad) end

---@param sealed string
---@param key string
---@param aad? string
---@return string? data
---@return polycall.Error? err
function crypto.decrypt.chacha20(sealed, key, aad) end

crypto.jwt = {}

---@param claims table
---@param key string
---@param alg? "HS256"|"HS384"|"HS512"|"RS256"
---@return string? token
---@return polycall.Error? err
function crypto.jwt.encode(claims, key, alg) end

---@param token string
---@param key string
---@param alg? "HS256"|"HS384"|"HS512"|"RS256"
---@param require_exp? boolean
---@return table? claims
---@return polycall.Error? err
function crypto.jwt.verify(token, key, alg, require_exp) end

return crypto
