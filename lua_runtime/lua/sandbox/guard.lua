-- What stands for the files of `guard` where WebAssembly holds the guest: the engine interrupts whatever runs, a state
-- that is out of memory is gone, and neither is an error that anybody could catch. So Lua's own functions serve guests.
local kernel = ...
local native = native
_G.native = nil

kernel.native, kernel.error_key, kernel.MEMORY = native, native.error_key, native.memory_key
kernel.state = { armed = false, stopping = false }

function kernel.arm() end
function kernel.disarm(...) return ... end
function kernel.fatal() end
function kernel.is_over() return false end

-- The entry's function, and what C calls around it.
function kernel.entered(method, on_error, finish)
  native.set("method", method)
  native.set("on_error", on_error)
  native.set("finish", finish)
end

function kernel.load(text, name, environment) return load(text, "@" .. name, "t", environment) end

kernel.own = { globals = { rawset = native.rawset, getmetatable = native.getmetatable } }
