-- The module `env` (specification: system facts 1.9, 4.4).
local kernel, get, set, get_all = ...
local checked = kernel.checked

kernel.offer("env", {
  get = checked("env.get", "text", get),
  set = checked("env.set", "text string", set),
  get_all = checked("env.get_all", "", get_all),
})
