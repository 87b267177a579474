-- The module `base64` (specification: system facts 4.4; RFC 4648, section 4).
local kernel, encode, decode = ...

kernel.offer("base64", {
  encode = kernel.checked("base64.encode", "string", encode),
  decode = kernel.checked("base64.decode", "string", decode),
})
