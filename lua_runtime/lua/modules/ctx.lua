-- The module `ctx`: the values that came with the call (specification: system facts 4.4).
local kernel, get, all = ...

kernel.offer("ctx", { get = kernel.checked("ctx.get", "text", get), all = kernel.checked("ctx.all", "", all) })
