-- The module `uuid` (specification: system facts 4.4; RFC 9562).
local kernel, make, named, validate, describe, format = ...
local checked, ipairs, type = kernel.checked, ipairs, type

local uuid = {}

for _, version in ipairs({ 1, 4, 7 }) do
  uuid["v" .. version] = checked("uuid.v" .. version, "", function() return make(version) end)
end

for _, version in ipairs({ 3, 5 }) do
  uuid["v" .. version] = checked("uuid.v" .. version, "string string", function(...) return named(version, ...) end)
end

function uuid.validate(value) return type(value) == "string" and kernel.receive(validate(value)) end

uuid.parse = checked("uuid.parse", "string", describe)
uuid.format = checked("uuid.format", "string string?", format)

for _, name in ipairs({ "version", "variant" }) do
  local described = checked("uuid." .. name, "string", describe)
  uuid[name] = function(value)
    local about, err = described(value)
    if not about then return nil, err end
    return about[name]
  end
end

kernel.offer("uuid", uuid)
